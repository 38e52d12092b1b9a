"""Traffic is counted, and delivery times are counted in buckets."""

from typing import get_args

from tickboard.hub.traffic import DELIVERY_BOUNDS_S, Reason, RemoteWritten, Traffic


def test_frames_are_counted_with_their_bytes() -> None:
    traffic = Traffic()
    traffic.sent(3, 100)
    traffic.sent(1, 5)
    assert (traffic.frames, traffic.bytes) == (4, 305)


def test_a_delivery_is_counted_in_the_first_bucket_that_fits() -> None:
    traffic = Traffic()
    for seconds in (0.0, DELIVERY_BOUNDS_S[0], 0.002, 99.0):
        traffic.delivered(seconds)
    assert traffic.deliveries[0] == 2
    assert traffic.deliveries[1] == 1
    assert traffic.deliveries[-1] == 1
    assert sum(traffic.deliveries) == 4
    assert (traffic.last_delivery_s, traffic.delivery_s) == (99.0, 99.003)


def test_refused_requests_are_counted_by_reason() -> None:
    traffic = Traffic()
    traffic.refused("slow")
    traffic.refused("bodies")
    traffic.refused("slow")
    assert {reason: count for reason, count in traffic.requests_refused.items() if count} == {"slow": 2, "bodies": 1}
    assert set(traffic.requests_refused) == set(get_args(Reason))


def test_remote_write_is_as_far_behind_as_its_oldest_waiting_sample_is_old() -> None:
    written = RemoteWritten()
    assert written.behind_s(100.0) == 0
    written.oldest = 90.0
    assert written.behind_s(100.0) == 10
    assert written.behind_s(80.0) == 0, "the clock was set back"
