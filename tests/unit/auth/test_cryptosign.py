import pytest

from wamp_transport.auth.cryptosign import challenge_of, is_answer, message_of, public_key, public_key_of, sign

CHANNEL = "62e935ae755f3d48f80d4d59f6121358c435722a67e859cc0caa8b539027f2ff"
KEYS = [
    "4d57d97a68f555696620a6d849c0ce582568518d729eb753dc7c732de2804510",
    "d511fe78e23934b3dadb52fcd022974b80bd92bccc7c5cf404e46cc0a8a2f5cd",
    "6e1fde9cf9e2359a87420b65a87dc0c66136e66945196ba2475990d8a0c3a25b",
]
CHALLENGES = [
    "f" * 64,
    "b26c1f87c13fc1da14997f1b5a71995dff8fbe0a62fae8473c7bdbd05bfb607d",
    "b05e6b8ad4d69abf74aa3be3c0ee40ae07d66e1895b9ab09285a2f1192d562d2",
]
ANSWERS = {
    None: [
        "b32675b221f08593213737bef8240e7c15228b07028e19595294678c90d11c0c"
        "ae80a357331bfc5cc9fb71081464e6e75013517c2cf067ad566a6b7b728e5d03" + "f" * 64,
        "d4209ad10d5aff6bfbc009d7e924795de138a63515efc7afc6b01b7fe5201372"
        "190374886a70207b042294af5bd64ce725cd8dceb344e6d11c09d1aaaf4d660f"
        "b26c1f87c13fc1da14997f1b5a71995dff8fbe0a62fae8473c7bdbd05bfb607d",
        "7beb282184baadd08f166f16dd683b39cab53816ed81e6955def951cb2ddad1e"
        "c184e206746fd82bda075af03711d3d5658fc84a76196b0fa8d1ebc92ef9f30b"
        "b05e6b8ad4d69abf74aa3be3c0ee40ae07d66e1895b9ab09285a2f1192d562d2",
    ],
    CHANNEL: [
        "9b6f41540c9b95b4b7b281c3042fa9c54cef43c842d62ea3fd6030fcb66e70b3"
        "e80d49d44c29d1635da9348d02ec93f3ed1ef227dfb59a07b580095c2b82f80f"
        "9d16ca518aa0c2b707f2b2a609edeca73bca8dd59817a633f35574ac6fd80d00",
        "305aaa3ac25e98f651427688b3fc43fe7d8a68a7ec1d7d61c61517c519bd4a42"
        "7c3015599d83ca28b4c652333920223844ef0725eb5dc2febfd6af7677b73f01"
        "d0852a29b460fc92ec943242ac638a053bbacc200512b18b30d15083cbdc9282",
        "ee3c7644fd8070532bc1fde3d70d742267da545d8c8f03e63bda63f1ad4214f4"
        "d2c4bfdb4eb9526def42deeb7e31602a6ff99eba893e0a4ad4d45892ca75e608"
        "d2b75e24a189a7f78ca776ba36fc53f6c3e31c32f251f2c524f0a44202f2902d",
    ],
}
VECTORS = [
    (channel, *vector) for channel, answers in ANSWERS.items() for vector in zip(KEYS, CHALLENGES, answers, strict=True)
]
KEY, CHALLENGE = bytes.fromhex(KEYS[1]), bytes.fromhex(CHALLENGES[1])
PUBLIC = public_key_of(KEY)


@pytest.mark.parametrize(("channel", "key", "challenge", "answer"), VECTORS)
def test_vectors_of_the_specification(channel, key, challenge, answer):
    message = message_of(bytes.fromhex(challenge), bytes.fromhex(channel) if channel else None)
    assert sign(bytes.fromhex(key), message) == answer
    assert is_answer(public_key_of(bytes.fromhex(key)), message, answer)


ROUTER = "4a3838f6fe75251e613329d53fc69b262d5eac97fb1d73bebbaed4015b53c862"


@pytest.mark.parametrize(
    ("message", "signature"),
    [
        ("bbae60ea44cdd7b20dc7010a618b0f0803fab25a817520b4b7f057299b524deb",
         "fd5128d2d207ba58a9d1d6f41b72c747964ad9d1294077b3b1eee6130b05843ab12c53c7f2519f73d4feb82db19d8ca0fc26b62bde6518e7"
         "9a882f5795bc9f00bbae60ea44cdd7b20dc7010a618b0f0803fab25a817520b4b7f057299b524deb"),
        ("9a38790e9c94064d89335393d39973c14074cd1008d7266de74c641103e30609",
         "ce456092998d796533d7ef2bab543300409d161066c9520c9284df6bbfb82947b37fb78d69fd56e5118afec62e35e015c60569af2e18ed92"
         "fedc738552242d039a38790e9c94064d89335393d39973c14074cd1008d7266de74c641103e30609"),
    ],
)  # fmt: skip
def test_router_signatures_of_the_specification(message, signature):
    assert is_answer(ROUTER, bytes.fromhex(message), signature)


def test_challenge_is_32_octets_in_hex():
    assert challenge_of("0A" * 32) == b"\n" * 32
    for other in ("0a" * 31, "0a" * 33, "zz" * 32, "0a" * 32 + "\n", None, 7, b"0a" * 32):
        assert challenge_of(other) is None


def test_public_key_of_test_one_of_rfc_8032():
    private = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    assert public_key_of(private) == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"


def test_upper_case_answer_counts():
    assert is_answer(PUBLIC, CHALLENGE, sign(KEY, CHALLENGE).upper())


@pytest.mark.parametrize(
    "answer",
    [
        "", "zz" * 96, sign(KEY, CHALLENGE)[:-2], sign(KEY, CHALLENGE) + "00", sign(KEY, CHALLENGE)[:-1] + "\n",
        sign(bytes(32), CHALLENGE), sign(KEY, bytes(32)), sign(KEY, CHALLENGE)[:128] + "00" * 32,
    ],
)  # fmt: skip
def test_any_other_answer_does_not(answer):
    assert not is_answer(PUBLIC, CHALLENGE, answer)


def test_key_that_is_no_point_of_the_curve_verifies_nothing():
    assert not is_answer("f" * 64, CHALLENGE, sign(KEY, CHALLENGE))


@pytest.mark.parametrize(
    ("given", "key"),
    [(PUBLIC, PUBLIC), (PUBLIC.upper(), PUBLIC), ("", None), (PUBLIC[:-1], None), (PUBLIC + "\n", None),
     (None, None), (7, None), ("g" * 64, None)],
)  # fmt: skip
def test_public_keys_are_read_in_one_form(given, key):
    assert public_key(given) == key
