"""What can be typed after %sandbox, and what is said when it cannot be understood."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_sandbox.magics.parse import parse
from jupyter_sandbox.magics.verbs import VERBS
from jupyter_sandbox.model.errors import UsageError

ONE, TWO = ["shop"], ["shop", "bank"]


def refused(line: str, sandboxes: list[str], *, cell: bool = False) -> str:
    with pytest.raises(UsageError) as caught:
        parse(line, sandboxes, cell=cell)
    return str(caught.value)


def test_a_bare_magic_lists_the_sandboxes() -> None:
    assert parse("", []).verb.name == "list"


def test_an_expression_is_taken_as_it_stands() -> None:
    given = parse('call shop front ("add", {"n":  1})', TWO)
    assert (given.sandbox, given.values) == ("shop", {"TARGET": "front", "REQUEST": '("add", {"n":  1})'})


def test_the_name_may_be_left_out_when_there_is_one_sandbox() -> None:
    assert parse('call front "next"', ONE).sandbox == "shop"
    assert parse("tree", ONE).sandbox == "shop"


def test_the_name_is_needed_when_there_are_several_sandboxes() -> None:
    assert refused("tree", TWO) == "which sandbox? There are shop, bank: type %sandbox tree shop"
    assert refused("call", TWO) == "which sandbox? There are shop, bank: type %sandbox call shop …"
    assert refused('call front "next"', TWO).endswith("There are several, so type which: %sandbox call shop …")


def test_a_process_may_have_the_name_of_the_sandbox() -> None:
    assert parse("state shop", ONE).values == {"TARGET": "shop"}
    assert parse("state shop shop", ONE).values == {"TARGET": "shop"}


@pytest.mark.parametrize("line", ["kill shop", "suspend shop", "restore shop"])
def test_what_changes_something_is_never_done_to_what_was_named_as_the_sandbox(line: str) -> None:
    verb, *_ = line.split()
    assert refused(line, ONE).startswith(f"{verb} needs ")


def test_a_comment_after_the_command_is_left_out() -> None:
    assert parse("start shop counter.Shop     # → the tree", ONE).values["MAIN"] == "counter.Shop"
    assert parse('call front "#1"  # ask', ONE).values["REQUEST"] == '"#1"'


def test_options_stand_before_or_after_an_expression() -> None:
    before = parse('call --timeout 100 shop front "next"', TWO)
    after = parse('call shop front "next" --timeout=100', TWO)
    assert before.options == after.options == {"timeout": 100}
    assert before.values == after.values


def test_text_that_looks_like_an_option_stays_in_its_quotes() -> None:
    assert parse('call front "wait --timeout 5"', ONE).values["REQUEST"] == '"wait --timeout 5"'
    both = parse("""call front "it's --timeout 5" --timeout 7""", ONE)
    assert (both.values["REQUEST"], both.options) == ('"it\'s --timeout 5"', {"timeout": 7})
    given = parse('call front "--timeout 5"', ONE)
    assert (given.values["REQUEST"], given.options) == ('"--timeout 5"', {})


def test_arguments_of_a_start_are_expressions_with_commas() -> None:
    assert parse('start shop counter.Counter 5, "a b"', ONE).values["ARGS"] == '5, "a b"'


def test_sizes_have_units_and_counts_do_not() -> None:
    assert parse("limits --max-memory 80MB --max-processes 1_000", ONE).options == {
        "max-memory": 80_000_000,
        "max-processes": 1_000,
    }


def test_a_repeated_option_keeps_all_its_values() -> None:
    assert parse("events --kind crash --kind limit", ONE).options == {"kind": ("crash", "limit")}


def test_a_module_cell_names_a_sandbox_that_need_not_exist() -> None:
    given = parse("module shop counter   # makes it", [], cell=True)
    assert (given.sandbox, given.values) == ("shop", {"MODULE": "counter"})


def test_a_module_cell_goes_to_the_only_sandbox() -> None:
    assert parse("module counter", ONE, cell=True).sandbox == "shop"


def test_quotes_hold_a_word_together() -> None:
    assert parse('kill front --reason "no more"', ONE).options == {"reason": "no more"}


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_can_be_asked_of_every_verb(word: str) -> None:
    for name, verb in VERBS.items():
        assert parse(f"{name} {word}", [], cell=verb.cell).values["VERB"] == name


def test_a_mistyped_verb_gets_a_suggestion() -> None:
    text = refused("trree shop", ONE)
    assert text.startswith("verb 'trree' is not known. Did you mean 'tree'?")
    assert text.endswith("Type %sandbox help")


def test_a_mistyped_sandbox_gets_a_suggestion() -> None:
    assert refused("tree shpo", TWO).startswith("sandbox 'shpo' is not known. Did you mean 'shop'?")


@pytest.mark.parametrize("line", ["tree shpo", 'call shpo front "next"', "state shpo front"])
def test_a_mistyped_sandbox_is_found_out_when_there_is_one_sandbox(line: str) -> None:
    assert refused(line, ONE).startswith("sandbox 'shpo' is not known. Did you mean 'shop'?")


def test_a_mistyped_option_gets_a_suggestion() -> None:
    text = refused("events --limt 3", ONE)
    assert "Did you mean '--limit'?" in text
    assert text.endswith("Type %sandbox events --help")


def test_an_unknown_choice_names_the_known_ones() -> None:
    assert "Known: real, virtual" in refused("create shop --clock fast", [])


def test_a_missing_argument_is_named_with_the_whole_form() -> None:
    assert refused("call shop front", ONE) == "call needs REQUEST: type %sandbox call [NAME] TARGET REQUEST"


def test_a_number_must_be_one() -> None:
    assert refused("step shop many", ONE) == "COUNT 'many' is not valid: give a whole number"


def test_a_number_below_the_smallest_is_told_what_that_is() -> None:
    assert refused("limits shop --handler-budget -1", ONE) == "--handler-budget '-1' is not valid: give at least 1"
    assert refused("create shop --seed -1", []) == "--seed '-1' is not valid: give at least 0"


def test_zero_is_told_as_it_was_typed() -> None:
    assert refused("create --max-processes 0", []) == "--max-processes '0' is not valid: give at least 1"
    assert refused("limits shop --max-output 0", ONE).startswith("--max-output '0' is not valid: give bytes")


@pytest.mark.parametrize("size", ["1.5MB", "1TB", "many", "0"])
def test_a_size_that_is_none_is_told_what_one_looks_like(size: str) -> None:
    hint = "give bytes, or a whole number of KB, MB or GB such as 50MB"
    assert refused(f"create --max-memory {size}", []) == f"--max-memory '{size}' is not valid: {hint}"


@pytest.mark.parametrize("line", ["create shop --max-memory 50 MB", "limits --max-memory 50 MB shop"])
def test_a_size_with_a_blank_before_its_unit_is_told_how_it_is_written(line: str) -> None:
    assert refused(line, ONE) == "--max-memory '50 MB' is not valid: write it without the blank: 50MB"


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("create --max-processes 5 --max-processes 6", "--max-processes"),
        ("create --clock real --clock=virtual", "--clock"),
        ("create --net --net", "--net"),
        ('call front "x" --timeout 5 --timeout 6', "--timeout"),
        ('call front --timeout 5 "x" --timeout 6', "--timeout"),
    ],
)
def test_an_option_that_is_given_twice_is_named(line: str, option: str) -> None:
    assert refused(line, ONE) == f"{option} is given twice: give it once"


@pytest.mark.parametrize("value", ["=no", "=false", "=1", "="])
def test_an_opening_that_is_given_a_value_opens_nothing(value: str) -> None:
    told = "--net takes no value: type --net alone, or leave it out"
    assert refused(f"create shop --net{value}", []) == told


def test_an_option_that_may_be_repeated_has_all_its_values() -> None:
    given = parse("create --read a --read b --ports 443,80 --ports 9000", [])
    assert given.options == {"read": ("a", "b"), "ports": ("443,80", "9000")}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('create --read ""', "--read needs a value: type --read PATH"),
        ("create --write=", "--write needs a value: type --write PATH"),
        ('kill front --reason " "', "--reason needs a value: type --reason TEXT"),
        ('spawn m.S 1 --name ""', "--name needs a value: type --name NAME"),
    ],
)
def test_an_empty_value_is_none(line: str, told: str) -> None:
    assert refused(line, ONE) == told


def test_an_option_after_an_expression_may_have_spaces_in_its_quotes() -> None:
    given = parse('spawn m.S 1, 2 --name "front door"', ONE)
    assert (given.values["ARGS"], given.options) == ("1, 2", {"name": "front door"})


def test_a_backslash_does_not_end_a_text() -> None:
    assert parse(r'call front "a\\" --timeout 5', ONE).options == {"timeout": 5}


def test_an_option_after_an_expression_needs_its_value() -> None:
    assert refused('call front "x" --timeout', ONE) == "--timeout needs a value: type --timeout MS"


def test_a_number_gone_wrong_is_no_name_of_a_sandbox() -> None:
    assert refused("step -3", ONE) == "COUNT '-3' is not valid: give at least 1"


def test_an_expression_must_be_one() -> None:
    text = refused('call front ("add", ', ONE)
    assert "was never closed" in text
    assert text.endswith('such as %sandbox call shop front ("add", 2)')


def test_a_cell_verb_on_a_line_says_how_to_begin_the_cell() -> None:
    assert refused("module shop counter", ONE).endswith("begin the cell with %%sandbox module NAME MODULE")


def test_a_line_verb_on_a_cell_says_to_type_one_percent_sign() -> None:
    assert refused("tree shop", ONE, cell=True).endswith("type %sandbox tree [NAME] with one %")
    assert refused("create shop", [], cell=True).endswith(
        "let a cell with code begin with %%sandbox module NAME MODULE"
    )


def test_without_any_sandbox_it_says_how_to_make_one() -> None:
    text = refused("tree", [])
    assert text == "there is no sandbox yet: type %sandbox create NAME, or %%sandbox module NAME MODULE"


@given(st.text(max_size=60), st.lists(st.sampled_from(["shop", "bank", "front"]), unique=True), st.booleans())
def test_any_text_is_understood_or_refused_in_words(line: str, sandboxes: list[str], cell: bool) -> None:
    try:
        parse(line, sandboxes, cell=cell)
    except UsageError as error:
        assert str(error)


@given(st.sampled_from(sorted(VERBS)), st.lists(st.sampled_from(["shop", "a", "1", '"x"', "--limit", "("]), max_size=5))
def test_any_words_after_a_verb_are_understood_or_refused_in_words(verb: str, words: list[str]) -> None:
    try:
        parse(" ".join([verb, *words]), ["shop"], cell=VERBS[verb].cell)
    except UsageError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('call shop front "x" --timeout -5', "--timeout"),
        ('call shop front "x" --tmeout 5', "'--timeout'"),
        ('cast shop front "x" --later 5', "no option --later"),
        ("step shop 99999999999999999999", "COUNT"),
    ],
)
def test_a_wrong_option_or_count_is_named(line: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse(line, ["shop"])
