"""Every operator there is, by the code of the fault it makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from benchmarks.faults import broken_calls as calls
from benchmarks.faults import broken_expressions as expressions
from benchmarks.faults import broken_flow as flow
from benchmarks.faults import broken_form as form
from benchmarks.faults import broken_variables as variables
from benchmarks.faults.subjects import Subject
from benchmarks.faults.written import Steps

Broken = Steps | dict[str, Any] | str
"""A document, or where it is no JSON its text."""

Operator = Callable[[Subject], Iterator[Broken]]
"""All the ways to make its one fault in a plan. The name of the function says what it does."""

OPERATORS: Final[Mapping[str, Sequence[Operator]]] = {
    "P001": [
        form.the_text_is_cut_off,
        form.a_comma_is_missing,
        form.a_bracket_is_missing,
        form.python_instead_of_json,
        form.a_type_is_misspelt,
        form.a_field_of_the_step_is_missing,
        form.a_number_is_a_text,
        form.an_unknown_field,
        form.parameters_outside_of_parameters,
        form.a_call_without_a_tool,
        form.arguments_as_a_list,
        form.a_jump_without_a_target,
        form.a_jump_of_two_forms,
        form.an_impossible_name,
        form.output_vars_of_a_wrong_form,
        form.on_error_or_retry_of_a_wrong_form,
        form.for_each_over_no_list,
        form.no_steps,
    ],
    "P002": [
        form.a_number_is_repeated,
        form.a_step_is_there_twice,
        form.two_steps_change_places,
        form.a_step_is_numbered_as_if_it_came_first,
    ],
    "P003": [
        form.a_jump_past_the_end,
        form.a_jump_into_a_gap,
        form.the_target_is_taken_out,
        form.the_target_is_renumbered,
    ],
    "P004": [
        form.a_step_behind_a_jump,
        form.a_jump_over_steps,
        form.an_answer_too_early,
        form.a_condition_that_is_none,
    ],
    "P005": [
        variables.a_reference_is_misspelt,
        variables.a_reference_in_other_letters,
        variables.a_name_in_an_expression_is_misspelt,
        variables.a_name_in_a_condition_is_misspelt,
        variables.the_variable_is_set_under_another_name,
        variables.the_setting_step_is_taken_out,
        variables.the_result_is_not_kept,
        variables.the_setting_step_comes_too_late,
        variables.a_step_reads_what_it_sets_itself,
        variables.a_variable_of_the_other_branch,
        variables.a_counter_without_a_beginning,
        variables.item_outside_of_for_each,
        variables.a_result_that_failed_is_read,
        variables.error_where_nothing_is_handled,
    ],
    "P006": [
        variables.one_way_does_not_set_it,
        variables.a_condition_before_the_setting_step,
        variables.an_error_jumps_to_where_the_result_is_read,
        variables.a_branch_is_the_only_one_to_set_it,
        variables.error_is_read_whether_or_not_there_was_one,
    ],
    "P007": [
        calls.a_tool_is_misspelt,
        calls.a_tool_that_was_made_up,
        calls.a_tool_that_is_not_allowed,
        calls.a_tool_by_reference,
    ],
    "P008": [
        calls.an_argument_is_left_out,
        calls.all_arguments_are_left_out,
        calls.an_argument_under_another_name,
        calls.an_argument_too_many,
        calls.arguments_one_level_too_deep,
        calls.a_literal_of_a_wrong_type,
        calls.a_reference_without_its_mark,
        calls.a_reference_within_a_text,
        calls.a_list_around_a_reference,
        calls.an_object_around_a_reference,
        calls.a_wrong_type_further_in,
    ],
    "P009": [
        calls.an_output_that_is_not_in_the_result,
        calls.several_outputs_of_which_one_is_not_there,
        calls.a_list_taken_for_an_object,
        calls.an_object_taken_for_a_list,
        calls.a_part_of_what_has_no_parts,
    ],
    "P010": [
        flow.the_condition_of_a_loop_is_gone,
        flow.both_ways_lead_back,
        flow.the_way_out_leads_back_in,
        flow.a_jump_back_that_nothing_stops,
        flow.a_step_that_jumps_to_itself,
        flow.what_the_condition_asks_never_changes,
        flow.the_counter_is_not_counted,
        flow.another_variable_is_counted,
        flow.the_condition_asks_something_else,
        flow.a_condition_that_is_always_true,
    ],
    "P011": [
        flow.the_answer_has_another_name,
        flow.the_answer_is_not_set,
        flow.the_answer_is_within_another_variable,
        flow.no_way_leads_to_the_answer,
        flow.one_way_ends_without_an_answer,
        flow.some_ways_end_before_the_answer,
    ],
    "P012": [
        expressions.a_bracket_too_few,
        expressions.a_bracket_too_many,
        expressions.an_operator_without_its_partner,
        expressions.a_function_that_is_not_there,
        expressions.a_method,
        expressions.a_dot_for_a_key,
        expressions.another_language,
        expressions.too_many_arguments_or_too_few,
        expressions.an_expression_that_is_not_closed,
        expressions.a_condition_with_marks,
        expressions.a_mark_within_an_expression,
        expressions.a_reference_that_is_not_closed,
        expressions.an_expression_in_a_reference,
        expressions.an_empty_reference,
    ],
}

BEYOND: Final[Mapping[str, Sequence[Operator]]] = {"P008": [calls.a_variable_of_a_wrong_type]}
"""Faults that the checker does not claim to find: a whole reference may be of any type. Sown and counted apart."""
