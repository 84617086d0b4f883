"""Random payload, URIs and messages."""

from hypothesis import strategies as st

from wamp_transport.wamp.ids import MAX_ID

ids = st.integers(1, MAX_ID)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12).filter(lambda text: not text.startswith("\0"))
floats = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | floats | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
args = st.none() | st.lists(values, max_size=4)
kwargs = st.none() | st.dictionaries(texts, values, max_size=4)

components = st.sampled_from(["a", "b", "c", "ab", "d1"])
uris = st.lists(components, min_size=1, max_size=4).map(".".join)
wildcards = st.lists(components | st.just(""), min_size=1, max_size=4).map(".".join)
prefixes = st.lists(components, max_size=3).map(lambda parts: ".".join([*parts, ""]))
patterns = st.one_of(
    st.tuples(st.sampled_from(["exact", "prefix", "wildcard"]), uris),
    st.tuples(st.just("wildcard"), wildcards),
    st.tuples(st.just("prefix"), prefixes),
)

options = st.fixed_dictionaries(
    {},
    optional={
        "acknowledge": st.booleans() | st.none(),
        "exclude": st.lists(ids, max_size=3),
        "disclose_me": st.booleans(),
    },
)
details = st.dictionaries(st.sampled_from(["x_mine", "_private", "procedure"]), texts, max_size=2)


def with_payload(*head: st.SearchStrategy) -> st.SearchStrategy[list]:
    """Messages with this head and any payload in any of the forms there are."""
    payload = st.one_of(
        st.just(()), st.lists(values, max_size=3).map(lambda args: (args,)),
        st.tuples(st.lists(values, max_size=3), st.dictionaries(texts, values, max_size=3)),
    )  # fmt: skip
    return st.tuples(st.tuples(*head), payload).map(lambda parts: [*parts[0], *parts[1]])


messages = st.one_of(
    with_payload(st.just(16), ids, options, uris),
    with_payload(st.just(48), ids, st.fixed_dictionaries({}, optional={"timeout": st.integers(0, 10**6)}), uris),
    with_payload(st.just(36), ids, ids, st.fixed_dictionaries({}, optional={"publisher": ids, "topic": uris})),
    with_payload(st.just(50), ids, st.just({})),
    with_payload(st.just(68), ids, ids, st.fixed_dictionaries({}, optional={"procedure": uris, "caller": ids})),
    with_payload(st.just(70), ids, st.just({})),
    with_payload(st.just(8), st.sampled_from([16, 32, 48, 64, 68]), ids, st.just({}), uris),
    with_payload(st.just(3), st.fixed_dictionaries({}, optional={"message": texts}), uris),
    st.tuples(st.just(6), st.fixed_dictionaries({}, optional={"message": texts}), uris).map(list),
    st.tuples(st.just(32), ids, st.fixed_dictionaries({}, optional={"match": st.just("prefix")}), uris).map(list),
    st.tuples(st.sampled_from([17, 33, 34, 65, 66]), ids, ids).map(list),
    st.tuples(st.sampled_from([35, 67]), ids).map(list),
)
