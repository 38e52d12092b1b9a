import pytest

from tickboard.errors import InputError
from tickboard.sizes import size


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("1GiB", 2**30), ("1.5 KiB", 1536), ("500MB", 500_000_000), (" 2 TB ", 2 * 10**12), ("7B", 7), (4096, 4096)],
)
def test_a_size_is_a_number_and_a_unit(text: object, size_bytes: int) -> None:
    assert size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "1", "GiB", "-1GiB", "1 gib", "1e9B", "1GiB2", "٣GiB", -1, 1.5, True, None])
def test_a_bad_size_is_refused_with_how_to_write_it(text: object) -> None:
    with pytest.raises(InputError, match=r"size .*: write a number and its unit .*as in 1GiB"):
        size(text)
