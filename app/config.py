"""Settings: the only reader of the environment. ``.env.example`` documents each; a test holds the two together."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from app.errors import ConfigurationError

SECRET_PREFIX: Final = "STACKVM_SECRET_"
"""What the variables of secrets begin with; the rest is the secret's name."""


class _SecretVariables(PydanticBaseSettingsSource):
    """Every variable with the prefix, of ``.env`` and of the environment, as one setting. Empty ones are unset."""

    def __init__(self, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource) -> None:
        super().__init__(settings_cls)
        self._sources = [source for source in sources if isinstance(source, EnvSettingsSource)]

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Nothing is read field by field."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        found: dict[str, str] = {}
        for source in self._sources:  # later ones win
            for variable, value in source.env_vars.items():
                # As with all settings, the case of a variable's name does not matter.
                if variable.upper().startswith(SECRET_PREFIX):
                    found[variable.upper().removeprefix(SECRET_PREFIX)] = value or ""
        return {"secrets": {name: value for name, value in found.items() if value}}


class Settings(BaseSettings):
    """What the operator chooses. Field names are the environment's names in lower case."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True)

    database_uri: str = Field(default="", description="SQLAlchemy URL; empty: SQLite in VAR_DIR")
    database_patience: float = Field(
        default=30.0, ge=0, le=86_400, description="seconds to wait for a database that went away"
    )
    history_backend: Literal["sql", "git"] = Field(default="sql", description="where new tasks keep history")
    var_dir: Path = Field(default=Path("var"), description="data of the embedded defaults")
    tools_root: Path = Field(default=Path(), description="the only folder that file tools can see")
    tools_path: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(), description="folders of your own tools, joined by the path separator"
    )
    max_steps: int = Field(default=1_000, ge=1, le=1_000_000, description="executed steps a run may take")
    max_seconds: int = Field(default=86_400, ge=1, description="seconds of work a run may take")
    max_value_bytes: int = Field(
        default=16 * 1024 * 1024, ge=1_024, description="largest value a variable or result may have"
    )
    max_revisions: int = Field(
        default=2,
        ge=0,
        le=100,
        description="how often a model may revise the plan of a run whose step failed",
    )
    lease_seconds: float = Field(
        default=30.0, gt=0, le=86_400, description="how long a silent worker keeps its branch"
    )
    retention_days: int | None = Field(
        default=None,
        ge=0,
        le=36_500,
        description="days after which gc deletes tasks that ended; empty: never",
    )
    durability: Literal["group", "step"] = Field(
        default="group", description="group: flush by need; step: flush every commit"
    )
    llm_provider: Literal["", "openai", "ollama", "scripted"] = Field(
        default="", description="who answers; empty: no model"
    )
    llm_model: str = Field(default="", description="the standard model's name")
    reason_llm_provider: Literal["", "openai", "ollama", "scripted"] = Field(
        default="", description="who plans and revises; empty: LLM_PROVIDER"
    )
    reason_llm_model: str = Field(default="", description="the model that plans; empty: LLM_MODEL")
    openai_api_key: SecretStr = Field(
        default=SecretStr(""), description="key of the OpenAI-compatible server"
    )
    openai_base_url: str = Field(default="", description="where that server is; empty: OpenAI")
    ollama_base_url: str = Field(default="http://localhost:11434", description="where Ollama is")
    ollama_num_ctx: int | None = Field(default=None, ge=1, description="tokens of Ollama's context window")
    llm_timeout: float = Field(default=120.0, gt=0, description="seconds a model may be silent")
    scripted_replies: Path | None = Field(default=None, description="YAML file of the scripted provider")
    model_prices: Path | None = Field(default=None, description="JSON file of prices per million tokens")
    max_model_calls: int | None = Field(default=None, ge=0, description="model calls a run may make")
    max_input_tokens: int | None = Field(default=None, ge=0, description="tokens a run may send to models")
    max_output_tokens: int | None = Field(default=None, ge=0, description="tokens a run may get from models")
    max_cost: float | None = Field(default=None, ge=0, description="what a run's model calls may cost")
    golden_dir: Path = Field(default=Path("golden"), description="where golden runs are stored")
    stackvm_user: str = Field(default="", description="whom the history names for a person's actions")
    stackvm_server: str = Field(
        default="", description="the StackVM server that commands ask; empty: they work here"
    )
    stackvm_api_key: SecretStr = Field(default=SecretStr(""), description="API key for that server")
    autoflow_base_url: str = Field(
        default="", description="where the AutoFlow server is; empty: there is none"
    )
    autoflow_api_key: SecretStr = Field(default=SecretStr(""), description="key of the AutoFlow server")
    kb_id: int | None = Field(default=None, ge=1, description="number of the knowledge base to search there")
    admin_api_key: SecretStr = Field(default=SecretStr(""), description="an API key of an admin")
    backend_cors_origins: str = Field(
        default="", description="origins of web pages that may ask, joined by commas"
    )
    rate_limit: str = Field(
        default="1200 per minute", description="requests by an API key; empty: any number"
    )
    run_threads: int = Field(default=8, ge=0, le=512, description="runs that a server process has at once")
    shutdown_seconds: float = Field(
        default=20.0, ge=0, description="how long a server waits for its runs to pause"
    )
    max_backlog: int = Field(default=10_000, ge=1, description="runs that may wait or be under way")
    push_max_bytes: int = Field(
        default=16 * 1024 * 1024, ge=1_024, description="how large a push by git may be, packed and unpacked"
    )
    push_max_objects: int = Field(default=1_000, ge=3, description="how many objects a push by git may have")
    log_format: Literal["auto", "json", "pretty"] = Field(
        default="auto", description="how a server's log looks; auto: pretty on a terminal, else json"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="what a server's log leaves out: all below it"
    )
    metrics_port: int = Field(
        default=0, ge=0, le=65_535, description="where a worker answers /metrics; 0: nowhere"
    )
    metrics_address: str = Field(default="127.0.0.1", description="the address of that port")
    otel_sdk_disabled: bool = Field(default=False, description="no traces, whatever else is set")
    otel_traces_exporter: str = Field(
        default="", description="where traces go; empty: to the endpoint, where there is one"
    )
    otel_exporter_otlp_endpoint: str = Field(default="", description="base URL of an OTLP collector, by HTTP")
    otel_exporter_otlp_traces_endpoint: str = Field(
        default="", description="whole URL for traces alone, instead of that"
    )
    otel_exporter_otlp_protocol: str = Field(
        default="http/protobuf", description="how it is spoken to; there is no other way"
    )
    otel_service_name: str = Field(default="stackvm", description="what traces call this service")
    secrets: Annotated[Mapping[str, SecretStr], NoDecode] = Field(
        default_factory=dict, description="values of the variables STACKVM_SECRET_NAME, by NAME"
    )

    @field_validator(
        "retention_days",
        "ollama_num_ctx",
        "scripted_replies",
        "model_prices",
        "max_model_calls",
        "max_input_tokens",
        "max_output_tokens",
        "max_cost",
        "kb_id",
        mode="before",
    )
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("log_format", "log_level", mode="before")
    @classmethod
    def _in_lower_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("otel_sdk_disabled", mode="before")
    @classmethod
    def _only_true_is_true(cls, value: object) -> object:
        return value.strip().lower() == "true" if isinstance(value, str) else value  # as OpenTelemetry has it

    @field_validator("tools_path", mode="before")
    @classmethod
    def _split_folders(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(Path(part) for part in value.split(os.pathsep) if part)
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What pydantic-settings reads from, the strongest first."""
        secrets = _SecretVariables(settings_cls, dotenv_settings, env_settings)
        return init_settings, secrets, env_settings, dotenv_settings, file_secret_settings

    @property
    def database_url(self) -> str:
        """``DATABASE_URI``, or the embedded default."""
        return self.database_uri or f"sqlite:///{(self.var_dir / 'stackvm.db').absolute()}"

    @property
    def wants_traces(self) -> bool:
        """Whether spans are to be made at all."""
        if self.otel_sdk_disabled or self.otel_traces_exporter == "none":
            return False
        return bool(
            self.otel_traces_exporter
            or self.otel_exporter_otlp_endpoint
            or self.otel_exporter_otlp_traces_endpoint
        )

    @property
    def person(self) -> str:
        """Who acts: ``STACKVM_USER``, or the login name."""
        if self.stackvm_user:
            return self.stackvm_user
        try:
            return getpass.getuser()
        except (KeyError, OSError):  # a user id without a name, as in some containers
            return "unknown"

    @property
    def worker_name(self) -> str:
        """How this process signs a lease."""
        return f"{self.person}@{socket.gethostname()}:{os.getpid()}"


def load_settings() -> Settings:
    """Read ``.env`` and the environment. Raises ``ConfigurationError`` that names each wrong setting."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        raise ConfigurationError(
            f"setting {name}: {first['msg']}, got {first.get('input')!r}", hint="see .env.example"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f".env can't be read: {error}", hint="save it as UTF-8 text") from None
