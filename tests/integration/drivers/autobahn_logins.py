"""Autobahn|Python logs in as each line of stdin says, and answers with a line on how that ended."""

import asyncio
import json
import os
import ssl
import sys
from types import ModuleType
from typing import Any

from wamp_transport.auth.saslprep import saslprep


def stand_in(name: str, **content: Any) -> None:
    """Let ``import name`` give this."""
    sys.modules[name] = ModuleType(name)
    sys.modules[name].__dict__.update(content)


# For SCRAM Autobahn takes one function of passlib, which does not start on newer Pythons; for cryptosign it loads
# libraries of wallets, which it then does not need.
stand_in("passlib")
stand_in("passlib.utils", saslprep=saslprep)
stand_in("autobahn.wamp.mnemonic", mnemonic_to_private_key=None)

from autobahn import util  # noqa: E402
from autobahn.asyncio.wamp import ApplicationRunner, ApplicationSession  # noqa: E402
from autobahn.wamp.auth import create_authenticator  # noqa: E402
from nacl.signing import VerifyKey  # noqa: E402

_OUTPUT, sys.stdout = sys.stdout, sys.stderr


SECRETS = {"ticket": "ticket", "wampcra": "secret", "scram": "password", "cryptosign": "privkey"}


class Session(ApplicationSession):
    """Joins by one method, tells how that ended, and leaves."""

    def __init__(self, config: Any, login: dict[str, Any], outcome: "asyncio.Future[dict[str, Any]]") -> None:
        super().__init__(config)
        self.login = login
        self.outcome = outcome
        self.authenticator: Any = None
        if login["method"] not in SECRETS:
            return
        given = {SECRETS[login["method"]]: login["secret"], "authid": login["authid"]}
        if login["method"] == "cryptosign":
            del given["authid"]
            given["authextra"] = {name: login[name] for name in ("channel_binding",) if name in login}
            if "router_key" in login:
                self.asked = os.urandom(32)
                given["authextra"]["challenge"] = self.asked.hex()
        self.authenticator = create_authenticator(login["method"], **given)

    def onConnect(self) -> None:
        """The transport is open."""
        self.join(
            self.login["realm"],
            authmethods=[self.login["method"]],
            authid=self.login.get("authid"),
            authextra=None if self.authenticator is None else self.authenticator.authextra,
        )

    def onChallenge(self, challenge: Any) -> Any:
        """CHALLENGE: Autobahn's own authenticators answer it, where the router is the one expected."""
        if "router_key" in self.login:
            signed = VerifyKey(bytes.fromhex(self.login["router_key"])).verify(
                bytes.fromhex(challenge.extra["signature"])
            )
            binding = self.login.get("channel_binding")
            channel = self._transport.transport_details.channel_id[binding] if binding else bytes(32)
            if signed != util.xor(self.asked, channel):
                raise ValueError("the router has signed something else")
        answer = self.authenticator.on_challenge(self, challenge)
        return answer.decode() if isinstance(answer, bytes) else answer

    def onWelcome(self, welcome: Any) -> str | None:
        """WELCOME: the authenticator may refuse the router."""
        if self.authenticator is None:
            return None
        refusal: str | None = self.authenticator.on_welcome(self, welcome.authextra)
        return refusal

    def onJoin(self, details: Any) -> None:
        """Let in."""
        told = self.login.get("tell", ("authid", "authrole", "authmethod"))
        self.outcome.set_result({name: getattr(details, name) for name in told})
        self.leave()

    def onLeave(self, details: Any) -> None:
        """Kept out, or gone."""
        if not self.outcome.done():
            self.outcome.set_result({"reason": details.reason, "message": details.message})
        self.disconnect()


def context_of(login: dict[str, Any]) -> ssl.SSLContext | None:
    """What is used for TLS, at most of the version that the login names."""
    if "tls" not in login:
        return None
    context = ssl.create_default_context(cafile=login.get("ca"))
    if "certificate" in login:
        context.load_cert_chain(login["certificate"], login["key"])
    context.maximum_version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[login["tls"]]
    return context


async def main() -> None:
    """One login after the other."""
    loop = asyncio.get_running_loop()
    while line := await asyncio.to_thread(sys.stdin.readline):
        login = json.loads(line)
        outcome: asyncio.Future[dict[str, Any]] = loop.create_future()
        runner = ApplicationRunner(login["url"], login["realm"], ssl=context_of(login))

        def make(config: Any, login: dict[str, Any] = login, outcome: Any = outcome) -> Session:
            return Session(config, login, outcome)

        try:
            await runner.run(make, start_loop=False)
            told = await asyncio.wait_for(outcome, login.get("seconds", 30))
        except ssl.SSLError:
            told = {"fault": "no TLS connection"}
        except TimeoutError:
            told = {"fault": "nothing"}
        print(json.dumps(told), file=_OUTPUT, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
