from wamp_transport.config.report import ConfigError, Problem, Report, path_text, short


def test_path_of_keys_and_indexes_reads_like_code():
    location = ("workers", 0, "transports", 1, "paths", "ws", "options", "max_frame_size")
    assert path_text(location) == "workers[0].transports[1].paths.ws.options.max_frame_size"


def test_path_of_odd_keys_quotes_them():
    assert path_text(("paths", "/", "type")) == 'paths["/"].type'
    assert path_text(("a b", "")) == '["a b"][""]'
    assert path_text(()) == ""


def test_path_of_a_long_key_is_cut():
    assert len(path_text(("x " * 1000,))) < 80


def test_long_text_is_cut_and_short_text_kept():
    assert short("abc") == "abc"
    assert short("x" * 61) == "x" * 57 + "..."


def test_problem_without_path_or_hint_is_its_message():
    assert str(Problem("", "is bad")) == "is bad"
    assert str(Problem("a[0]", "is bad", "do this")) == "a[0]: is bad (do this)"


def test_report_without_problems_says_so():
    assert str(Report("config.json")) == "config.json: no problems"
    assert str(Report()) == "configuration: no problems"


def test_report_lists_faults_before_notices():
    report = Report("c", (Problem("a", "x"),), (Problem("b", "y", level="ignored"), Problem("c", "z", level="ignored")))
    assert str(report).splitlines() == ["c: 1 fault, 2 notices", "  fault: a: x", "  notice: b: y", "  notice: c: z"]


def test_report_of_very_many_problems_is_cut():
    report = Report("c", tuple(Problem(f"a[{index}]", "x") for index in range(500)))
    assert str(report).splitlines()[-1] == "  ... and 300 more"


def test_error_shows_its_report():
    report = Report("c", (Problem("a", "x"),))
    assert str(ConfigError(report)) == str(report)
    assert ConfigError(report).report is report
