"""The sixty cases of the battery: what is attacked, and the tests that do it. ``test_battery.py`` keeps it complete.

Paths are relative to this folder; the first test of a case stands for it in places where not all are run.
"""

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    """One kind of attack."""

    attack: str
    tests: tuple[str, ...]


def of(test: str, *cases: str) -> tuple[str, ...]:
    """Some cases of one test."""
    return tuple(f"{test}[{case}]" for case in cases)


HANG = "test_hangs.py::test_a_callback_that_hangs_crashes_alone_and_is_restarted"
STUCK = "test_hangs.py::test_a_callback_that_cannot_be_broken_ends_the_sandbox_with_the_place_in_the_reason"
LOADED = "test_hangs.py::test_code_that_hangs_while_it_is_loaded_or_started_is_given_up"
GREED = "test_memory.py::test_taking_memory_without_end_is_an_error_or_the_end_of_the_sandbox"
LATE = "test_memory.py::test_a_large_library_imported_late_is_an_error_and_no_interrupt_of_the_kernel"
REACH = "test_reach.py::test_reaching_out_of_the_sandbox_is_an_error_and_no_more"
NUMBER = "test_breaking_out.py::test_no_call_by_its_number_leads_out"
END = "test_ends.py::test_the_end_of_the_os_process_is_told_with_its_reason"
ALONE = "test_ends.py::test_an_exception_of_any_kind_ends_its_process_alone"
DISK = "test_files.py::test_filling_the_disk_ends_the_sandbox"
READ = "test_files.py::test_reading_what_is_not_its_own_fails"
WRITE = "test_files.py::test_changing_what_is_not_its_own_fails"
CONNECTION = "test_real_kernel.py::test_the_connection_file_of_its_kernel_cannot_be_read"
RESTARTED = "test_real_kernel.py::test_a_restarted_kernel_has_nothing_left_of_its_sandboxes_and_makes_new_ones"
WIRE = "test_channel.py::test_breaking_the_protocol_ends_the_sandbox_with_the_reason"
FORGED = "test_channel.py::test_a_forged_answer_ends_the_sandbox_and_is_nobodys_answer"
CHANNEL = "test_shared.py::test_odd_uses_of_the_channel_cost_the_kernel_neither_time_nor_memory"
SENT = "test_sent_files.py::test_files_that_are_sent_along_are_not_taken"
PRINT = "test_output.py::test_output_without_end_is_cut_and_counted"
TRICK = "test_output.py::test_tricks_with_the_terminal_arrive_as_harmless_text"
LIAR = "test_output.py::test_an_object_that_lies_about_itself_is_shown_bounded_and_escaped"
CODE = "test_code.py::test_bad_code_is_refused_and_the_old_version_runs_on"
STATE = "test_code.py::test_a_snapshot_of_an_evil_state_is_an_error_or_harmless"

BATTERY: dict[int, Case] = {
    1: Case("an endless loop in a callback", of(HANG, "an endless loop", "an endless comprehension")),
    2: Case("an endless loop in init or at the top of a module", of(LOADED, "init", "the top of a module")),
    3: Case("an endless sum in C", of(STUCK, "a sum in C", "an exhausted iterator in C")),
    4: Case("a regular expression that tries everything", of(HANG, "a regular expression")),
    5: Case("a power without end", of(HANG, "a power")),
    6: Case("a sleep for ever", of(HANG, "a sleep", "a lock")),
    7: Case("a loop that catches everything", of(STUCK, "a loop that catches everything")),
    8: Case(
        "the interrupting signal ignored",
        of(STUCK, "a signal that is ignored", "all signals that are blocked", "no more alarms"),
    ),
    9: Case("a stop of itself", of(STUCK, "a stop of itself")),
    10: Case(
        "loops in destructors, at the end, in terminate",
        (
            "test_hangs.py::test_code_that_hangs_when_it_is_shut_down_does_not_hold_up_the_end",
            "test_hangs.py::test_a_loop_in_a_destructor_ends_in_an_error_or_the_end_of_the_sandbox",
        ),
    ),
    11: Case("one large block of memory", of(GREED, "one large block", "a repeated string")),
    12: Case("memory piece by piece", of(GREED, "a list without end", "objects without end")),
    13: Case(
        "memory maps",
        (
            *of(GREED, "one large shared map", "shared maps", "private maps"),
            "test_uncounted.py::test_memory_maps_without_end_do_not_keep_the_watchdog_reading",
            "test_uncounted.py::test_memory_of_a_kind_that_is_not_counted_is_refused[huge pages]",
        ),
    ),
    14: Case(
        "memory that is not counted",
        of(REACH, "memory: a memory file", "memory: shared memory", "memory: shared memory of System V"),
    ),
    15: Case("structures without end", of(GREED, "deep recursion", "deep data", "a list in itself")),
    16: Case(
        "a numerical library imported late under a small limit",
        (
            "test_memory.py::test_numpy_imported_late_under_a_small_limit_is_a_clear_error_and_no_interrupt_of_the_kernel",
            *of(LATE, "that interrupts", "that gives up the program"),
        ),
    ),
    17: Case("a fork bomb", of(REACH, "children: a fork bomb", "children: fork")),
    18: Case("other programs", of(REACH, "children: subprocess", "children: exec")),
    19: Case(
        "a thousand threads",
        (
            *of(GREED, "stacks of threads"),
            "test_uncounted.py::test_threads_that_cost_no_memory_end_the_sandbox[of Python-]",
        ),
    ),
    20: Case("a hundred thousand processes", ("test_memory.py::test_more_processes_than_allowed_are_refused",)),
    21: Case("a daemon", ("test_levels.py::test_programs_that_hide_from_the_sandbox_end_with_it",)),
    22: Case("children that nobody reaps", ("test_levels.py::test_programs_that_hide_from_the_sandbox_end_with_it",)),
    23: Case(
        "thousands of open files",
        ("test_files.py::test_more_open_files_than_allowed_are_an_error_and_the_channel_works_on",),
    ),
    24: Case("all files closed, the channel too", of(END, "all files closed", "the channel shut")),
    25: Case("the channel replaced", of(END, "the channel replaced by nothing")),
    26: Case(
        "a full disk",
        (
            *of(DISK, "many large files", "many files"),
            "test_files.py::test_one_huge_file_is_an_error",
            "test_storms.py::test_disk_that_is_taken_out_of_sight_is_counted_too[deleted files that stay open]",
            "test_uncounted.py::test_a_thread_with_things_of_its_own_cannot_be_had[files]",
        ),
    ),
    27: Case(
        "odd names, links and locked folders",
        (
            "test_files.py::test_whatever_is_in_its_folder_goes_with_it_and_nothing_else[and it lives on]",
            "test_files.py::test_whatever_is_in_its_folder_goes_with_it_and_nothing_else[and it is killed for it]",
        ),
    ),
    28: Case("an exit", of(END, "an exit", "an exit that looks fine")),
    29: Case(
        "a null pointer",
        (
            *of(END, "a null pointer"),
            "test_ends.py::test_a_crash_leaves_no_core_file_and_starts_no_crash_handler",
            "test_ends.py::test_a_program_of_it_that_crashes_leaves_none_either",
        ),
    ),
    30: Case("an abort, a kill of itself", of(END, "an abort", "a kill of itself")),
    31: Case("SystemExit and KeyboardInterrupt", of(ALONE, "SystemExit", "KeyboardInterrupt")),
    32: Case(
        "the end of the loop of outside work",
        (
            "test_ends.py::test_ending_the_loop_of_outside_work_leaves_the_processes_working[stop]",
            "test_ends.py::test_ending_the_loop_of_outside_work_leaves_the_processes_working[close]",
        ),
    ),
    33: Case(
        "signals to others",
        (
            *of(REACH, "signals: kill the zygote", "signals: kill everybody", "signals: kill the group of the zygote"),
            *of(REACH, "signals: stop the kernel"),
            "test_shared.py::test_a_timer_signals_threads_of_its_own_alone[to a thread of the kernel]",
        ),
    ),
    34: Case(
        "looks into others",
        (
            *of(REACH, "looks: trace the kernel", "looks: read the memory of the kernel"),
            *of(REACH, "looks: open the memory of the kernel", "looks: read the environment of the kernel"),
        ),
    ),
    35: Case(
        "reading files",
        (
            *of(READ, "directly", "through a link of its own", "through a hard link of its own", "through dots"),
            *of(READ, "through the root of itself", "through the folder of itself", "the home"),
            *of(CONNECTION, "directly", "through a link of its own", "through a hard link of its own", "through dots"),
            *of(CONNECTION, "through the root of itself", "through the folder of itself"),
        ),
    ),
    36: Case(
        "changing files",
        (
            *of(WRITE, "by writing", "by emptying", "by renaming"),
            *of(WRITE, "a package that everybody imports", "a compiled module"),
            *of("test_files.py::test_changing_what_describes_a_file_has_no_effect", "its mode", "its times"),
        ),
    ),
    37: Case(
        "the network",
        (
            *of(REACH, "network: TCP", "network: UDP", "network: MPTCP", "network: vsock", "network: netlink"),
            *of(REACH, "network: a unix socket", "network: an abstract unix socket", "network: names"),
        ),
    ),
    38: Case(
        "ports of the kernel",
        (
            "test_reach.py::test_connecting_to_a_port_of_the_kernel_fails",
            *of("test_real_kernel.py::test_no_port_of_its_kernel_can_be_connected_to", "shell_port", "control_port"),
        ),
    ),
    39: Case(
        "deep calls",
        (
            *of(REACH, "machine: a user namespace", "machine: io_uring", "machine: keys", "machine: bpf"),
            *of(REACH, "machine: userfaultfd", "machine: mount", "machine: personality"),
        ),
    ),
    40: Case(
        "rights",
        of(
            REACH,
            "rights: limits up",
            "rights: outliving the kernel",
            "rights: capabilities",
            "rights: another user",
        ),
    ),
    41: Case("typing into the terminal", of(REACH, "rights: typing into the terminal")),
    42: Case(
        "bytes that are not the protocol",
        (
            *of(WIRE, "a length of all ones", "a length that is too large", "empty frames", "random bytes"),
            *of(WIRE, "nested arrays", "empty arrays", "nothing but nil", "an unknown kind"),
            *of(WIRE, "pieces of news without end", "answers that nobody asked for"),
            *of(FORGED, "of the wrong kind", "twice", "to another request", "to a request of another sandbox"),
            "test_channel.py::test_a_frame_that_never_ends_keeps_nobody_waiting_but_its_own_sandbox",
            *of(CHANNEL, "the beginning of an answer, and silence"),
        ),
    ),
    43: Case(
        "pickles for data",
        (
            "test_channel.py::test_a_pickle_is_bytes_and_never_loaded",
            "test_channel.py::test_a_pickle_in_the_place_of_a_value_is_an_error_and_never_loaded",
        ),
    ),
    44: Case("messages of any size", ("test_channel.py::test_an_answer_that_is_too_large_is_cut_or_an_error",)),
    45: Case(
        "a million small frames",
        (
            "test_channel.py::test_a_million_small_frames_cost_the_kernel_nothing",
            "test_channel.py::test_a_flood_of_news_does_not_reach_the_kernel_whole[events]",
            "test_bounds.py::test_things_that_are_told_over_and_over_in_one_frame_cost_their_own_sandbox",
        ),
    ),
    46: Case("files sent along", of(SENT, "as this Linux does", "as Linux before 6.16")),
    47: Case(
        "the heartbeat page",
        (
            "test_channel.py::test_the_size_of_the_heartbeat_page_cannot_be_changed[shrinking it-]",
            "test_channel.py::test_the_size_of_the_heartbeat_page_cannot_be_changed[growing it-]",
            "test_channel.py::test_lies_on_the_heartbeat_page_hurt_their_own_sandbox_at_most[garbage in it]",
            "test_shared.py::test_whatever_becomes_of_the_heartbeat_page_the_kernel_reads_on[a hole in it]",
        ),
    ),
    48: Case(
        "output",
        (
            *of(PRINT, "without end", "one line without end", "below Python"),
            *of(TRICK, "going back to the start of the line", "the title of the terminal", "clearing the screen"),
            *of(TRICK, "nulls and backspaces"),
            "test_output.py::test_bytes_that_are_no_text_arrive_as_text",
            "test_uncounted.py::test_output_in_the_smallest_pieces_leaves_the_processor_to_the_kernel[byte by byte]",
        ),
    ),
    49: Case(
        "objects and exceptions that lie",
        (
            *of(LIAR, "answer-a repr that hangs", "answer-a repr that raises", "answer-a repr of a gigabyte"),
            *of(LIAR, "answer-a repr that is no text", "answer-a class that lies", "answer-html of its own"),
            *of(ALONE, "an exception that cannot be shown", "an exception whose text hangs"),
            "test_ends.py::test_an_exception_from_a_million_frames_below_is_told_bounded_and_in_time",
            *of(ALONE, "an exception from far below", "an exception with large values around it"),
        ),
    ),
    50: Case(
        "tampering with the interpreter",
        (
            "test_channel.py::test_tampering_with_the_interpreter_breaks_its_own_sandbox_at_most[builtins]",
            "test_channel.py::test_tampering_with_the_interpreter_breaks_its_own_sandbox_at_most[msgspec]",
        ),
    ),
    51: Case(
        "bad code",
        (
            *of(CODE, "a syntax error", "a crash at import"),
            "test_code.py::test_a_changed_layout_that_cannot_take_the_old_state_is_taken_back",
            *of(CODE, "a loop at import without end"),
        ),
    ),
    52: Case(
        "evil and forged snapshots",
        (
            "test_code.py::test_a_forged_snapshot_is_opened_inside_a_sandbox_only",
            *of(STATE, "a lock", "a state that is too large to travel", "a state that holds itself"),
        ),
    ),
    53: Case(
        "a killed kernel", ("test_lifecycle.py::test_a_killed_kernel_takes_every_sandbox_along_within_two_seconds",)
    ),
    54: Case(
        "an interrupted kernel, and one that is restarted",
        (
            "test_lifecycle.py::test_an_interrupt_of_the_kernel_does_not_reach_its_sandboxes",
            "test_real_kernel.py::test_an_interrupted_cell_leaves_its_sandbox_working",
            *of(RESTARTED, "in order", "at once"),
        ),
    ),
    55: Case(
        "a killed zygote",
        ("test_lifecycle.py::test_a_killed_zygote_is_replaced_and_its_sandboxes_are_told_to_be_dead",),
    ),
    56: Case(
        "ends that come twice and in between",
        (
            "test_lifecycle.py::test_ending_twice_at_once_and_while_it_is_made_is_one_end",
            "test_lifecycle.py::test_a_kill_while_it_is_made_is_an_error_or_the_end_of_a_sandbox[0.002]",
            "test_lifecycle.py::test_a_kill_during_a_transfer_is_an_error_and_no_more",
        ),
    ),
    57: Case(
        "a number that is used again", ("test_lifecycle.py::test_a_number_that_went_to_another_program_is_not_killed",)
    ),
    58: Case(
        "a hundred at once", ("test_lifecycle.py::test_a_hundred_sandboxes_made_and_killed_at_once_leave_nothing",)
    ),
    59: Case(
        "hostile repositories and archives",
        (
            "test_code.py::test_an_address_of_a_repository_that_is_an_injection_is_refused[file:///etc]",
            "test_code.py::test_a_hostile_archive_is_refused[a bomb]",
            "test_code.py::test_a_hostile_archive_is_refused[names that lead out]",
            "test_code.py::test_a_source_distribution_is_refused_in_words[by its path]",
            "test_code.py::test_a_damaged_compiled_module_hurts_a_trial_at_most[evil]",
            "test_code.py::test_a_hostile_repository_is_read_and_nothing_of_it_runs[its hooks]",
            "test_code.py::test_a_hostile_repository_is_read_and_nothing_of_it_runs[its filters]",
            "test_code.py::test_a_submodule_beside_the_modules_is_refused",
            "test_code.py::test_what_is_no_whole_number_of_a_commit_is_refused[main]",
            "test_code.py::test_a_bomb_among_the_modules_of_a_repository_is_refused",
            "test_code.py::test_a_link_among_the_modules_of_a_repository_is_refused[/etc/passwd]",
        ),
    ),
    60: Case(
        "layers that are missing",
        (
            "test_levels.py::test_a_layer_that_is_forced_off_is_missed_in_the_report_and_in_reality[landlock-landlock]",
            "test_levels.py::test_a_profile_asked_for_by_name_is_had_or_nothing_starts[strict-seccomp]",
        ),
    ),
}
