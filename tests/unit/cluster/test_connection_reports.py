from wamp_transport.cluster.connection_reports import REPORT_SECONDS, ConnectionReports


def test_problem_is_reported_immediately_and_again_while_it_persists() -> None:
    seen: list[str] = []
    reports = ConnectionReports(seen.append, lambda: seen.append("reachable"))
    reports.report(0)
    reports.add("writing", "no", 1)
    reports.add("writing", "still no", 2)
    assert seen == ["no"]
    reports.report(1 + REPORT_SECONDS)
    assert seen == ["no", "still no"]
    reports.remove("reading")
    assert seen == ["no", "still no"]
    reports.remove("writing")
    reports.remove("writing")
    reports.report(100)
    assert seen == ["no", "still no", "reachable"]


def test_recovery_needs_all_connections() -> None:
    seen: list[str] = []
    reports = ConnectionReports(seen.append, lambda: seen.append("reachable"))
    reports.add("writing", "a", 0)
    reports.add("reading", "b", 0)
    reports.remove("writing")
    assert seen == ["a"]
    reports.remove("reading")
    assert seen == ["a", "reachable"]


def test_short_problems_are_not_reported_often() -> None:
    seen: list[str] = []
    reports = ConnectionReports(seen.append, lambda: seen.append("reachable"))
    for now in range(10):
        reports.add("writing", str(now), now)
        reports.remove("writing")
    assert seen == ["0", "reachable", "5", "reachable"]
