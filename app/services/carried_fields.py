"""What the rows of an export may hold: types and bounds, as the tables have them."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from app.db.base import NO_ITEM, AttemptState
from app.db.models import NAME_LENGTH, TASK_ID_LENGTH
from app.errors import InputError, StackVMError
from app.history.refnames import check_branch_name
from app.services.tasks import MAX_GOAL_CHARS
from app.vm.state import STATUSES

_MAX_64: Final = 2**63 - 1
_MAX_32: Final = 2**31 - 1


def _known_status(status: str) -> str:
    if status not in STATUSES:
        raise ValueError("not one of " + ", ".join(STATUSES))
    return status


def _branch_name(name: str) -> str:
    try:
        check_branch_name(name)
    except StackVMError as error:
        raise ValueError(error.message) from None
    return name


# What PostgreSQL can't hold, no row has.
_Text = Annotated[str, Field(pattern=r"\A[^\x00]*\z")]
_Name = Annotated[_Text, Field(min_length=1, max_length=NAME_LENGTH)]
_Branch = Annotated[str, Field(max_length=NAME_LENGTH), AfterValidator(_branch_name)]
_Status = Annotated[str, AfterValidator(_known_status)]
_Count = Annotated[int, Field(ge=0, le=_MAX_64)]
_Number = Annotated[int, Field(ge=1, le=_MAX_32)]
_Digest = Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
_ObjectId = Annotated[str, Field(pattern=r"\A[0-9a-f]{40}\z")]


class _Fields(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class CarriedTask(_Fields):
    """Of ``task.json``; the store is the importer's."""

    id: Annotated[str, Field(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]*\z", max_length=TASK_ID_LENGTH)]
    goal: Annotated[_Text, Field(min_length=1, max_length=MAX_GOAL_CHARS)]
    namespace: _Name | None
    status: _Status
    current_branch: _Branch
    created_ms: _Count
    updated_ms: _Count
    steps: _Count
    error: _Text | None


class CarriedBranch(_Fields):
    """A branch of ``task.json``."""

    name: _Branch
    status: _Status
    created_ms: _Count
    source: _Branch | None
    source_head: _ObjectId | None


class CarriedAttempt(_Fields):
    """A row of ``attempts.json``."""

    key: _Digest
    branch: _Branch
    seq_no: _Count
    visit: _Count
    item: _Count | None
    tool: _Text
    inputs_hash: _Digest
    number: _Number
    started_ms: _Count
    state: AttemptState
    error: _Text | None


class CarriedEffect(_Fields):
    """A row of ``effects.json``; ``outcome`` is the name of a file in ``outcomes``."""

    branch: _Branch
    seq_no: _Count
    visit: _Count
    item: Annotated[int, Field(ge=NO_ITEM, le=_MAX_64)]
    inputs_hash: _Digest
    outcome: _ObjectId


class _Outcome(_Fields):
    value: Any
    error: str | None
    attempts: _Count
    started_ms: _Count
    ended_ms: _Count
    outputs: list[str] = []
    model_calls: list[dict[str, Any]] = []


_Model = TypeVar("_Model", bound=_Fields)


def read_fields(model: type[_Model], value: object, place: str) -> _Model:
    """The fields at ``place``. Raises ``InputError`` that names the first that is wrong."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ", ".join([place, *map(str, first["loc"])])
        raise InputError(f"{where}: {first['msg']}") from None


def check_outcome(data: bytes, place: str) -> None:
    """Raise ``InputError`` unless ``data`` is a kept outcome, as :mod:`app.vm.kept` writes them."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place} is no JSON: {error}") from None
    read_fields(_Outcome, value, place)
