"""The slow-down: failures delay the next login, for an account and for an address, and never refuse it."""

from tickboard.access.slowdown import FIRST_S, FORGET_S, FREE, LONGEST_S, MAX_NAMES, Slowdown

NAMES = ("account ann", "address 192.0.2.1")


def after(failures: int, names: tuple[str, ...] = NAMES) -> Slowdown:
    found = Slowdown()
    for _ in range(failures):
        found.failed(names, 0.0)
    return found


def test_the_first_failures_cost_nothing() -> None:
    assert after(0).delay_s(*NAMES, 0.0) == after(FREE - 1).delay_s(*NAMES, 0.0) == 0


def test_the_delay_doubles_up_to_the_longest() -> None:
    delays = [after(FREE + more).delay_s(*NAMES, 0.0) for more in range(6)]
    assert delays == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S, 8 * FIRST_S, LONGEST_S, LONGEST_S]
    assert after(100_000).delay_s(*NAMES, 0.0) == LONGEST_S


def test_an_account_is_slowed_down_from_everywhere_and_an_address_for_every_account() -> None:
    found = after(FREE)
    assert found.delay_s("account ann", "address 198.51.100.7", 0.0) == FIRST_S
    assert found.delay_s("account bob", "address 192.0.2.1", 0.0) == FIRST_S
    assert found.delay_s("account bob", "address 198.51.100.7", 0.0) == 0


def test_a_right_password_forgets_the_failures_of_the_account_and_not_those_of_the_address() -> None:
    found = after(FREE)
    found.worked(*NAMES)
    found.worked("account nobody", "address 192.0.2.2")
    assert found.delay_s("account ann", "address 198.51.100.7", 0.0) == 0
    assert found.delay_s(*NAMES, 0.0) == FIRST_S


def test_an_address_from_which_an_account_has_logged_in_waits_for_its_own_failures_alone() -> None:
    found = Slowdown()
    found.worked(*NAMES)
    for number in range(FREE + 10):
        found.failed(("account ann", f"address {number}"), 0.0)
    assert found.delay_s("account ann", "address 198.51.100.7", 0.0) == LONGEST_S
    assert found.delay_s("account bob", NAMES[1], 0.0) == found.delay_s(*NAMES, 0.0) == 0
    for _ in range(FREE):
        found.failed(NAMES, 0.0)
    assert found.delay_s(*NAMES, 0.0) == FIRST_S


def test_failures_are_forgotten_after_a_while() -> None:
    found = after(FREE)
    assert found.delay_s(*NAMES, FORGET_S) == FIRST_S
    assert found.delay_s(*NAMES, FORGET_S + 1) == 0
    found.failed(NAMES, FORGET_S + 1)
    assert found.failures("account ann", FORGET_S + 1) == 1


def test_the_memory_is_bounded() -> None:
    found = Slowdown()
    for number in range(MAX_NAMES + 5):
        found.failed((f"account {number}",), 0.0)
        found.worked("account ann", f"address {number}")
    assert len(found._failures) == len(found._at_home) == MAX_NAMES
    assert found.failures("account 0", 0.0) == 0
    assert found.failures(f"account {MAX_NAMES + 4}", 0.0) == 1
