"""What a realm does with registrations and calls."""

from collections.abc import Callable
from typing import Any

from .pubsub import PubSub
from .records import ANYTHING, Callee, OpenCall, Registration, Session
from .rights import covers, is_malformed, is_reserved, precedence, refusal, rule_for

NO_CALLEE = "wamp.error.no_available_callee"


class Violation(Exception):
    """The session breaks the protocol."""


class Refused(Exception):
    """The request fails with this error URI."""


class Calls(PubSub):
    now: Callable[[], float]
    chance: Callable[[], int]

    def __init__(self) -> None:
        super().__init__()
        self.registrations: list[Registration] = []

    # --- registrations ---

    def register(self, session: Session, request_id: int, options: dict[str, Any], procedure: str) -> None:
        match, invoke = options.get("match", "exact"), options.get("invoke", "single")
        fault = refusal(self.options, session.role, "register", procedure, match)
        held = [each for each in self.registrations if (each.match, each.procedure) == (match, procedure)]
        if fault is None and held:
            if options.get("force_reregister") or not held[0].is_there:
                for callee in list(held[0].callees):
                    self.revoke(callee.session, held[0], "wamp.error.unregistered")
                held = []
            elif held[0].invoke == "single":
                fault = "wamp.error.procedure_already_exists"
            elif held[0].invoke != invoke:
                fault = "wamp.error.procedure_exists_with_different_invocation_policy"
        if fault is not None:
            self.error(session, 64, request_id, fault)
            return
        registration = held[0] if held else Registration(match, procedure, invoke)
        if not held:
            self.registrations.append(registration)
        is_joining = all(callee.session is not session for callee in registration.callees)
        if is_joining:
            registration.callees.append(Callee(session, next(self.order), options))
            session.registrations.append(registration)
        session.receives([65, request_id, registration.id])
        if not held:
            self.announce("wamp.registration.on_create", procedure, session.id, describe(registration))
        if is_joining:
            self.announce("wamp.registration.on_register", procedure, session.id, registration.id)

    def unregister(self, session: Session, request_id: int, registration_id: int) -> None:
        held = [each for each in session.registrations if each.id.value == registration_id]
        if not held:
            self.error(session, 66, request_id, "wamp.error.no_such_registration")
            return
        session.receives([67, request_id])
        self.drop_callee(session, held[0])

    def revoke(self, session: Session, registration: Registration, reason: str) -> None:
        if session.has("registration_revocation"):
            session.receives([67, 0, {"registration": registration.id, "reason": reason}])
        self.drop_callee(session, registration)

    def drop_callee(self, session: Session, registration: Registration) -> None:
        session.registrations.remove(registration)
        registration.callees = [callee for callee in registration.callees if callee.session is not session]
        self.announce("wamp.registration.on_unregister", registration.procedure, session.id, registration.id)
        if not registration.callees:
            self.registrations.remove(registration)
            self.announce("wamp.registration.on_delete", registration.procedure, session.id, registration.id)

    # --- calls ---

    def call(self, session: Session, request_id: int, options: dict[str, Any], procedure: str, args: list) -> None:
        is_last = not options.get("progress")
        if request_id in session.calls:
            self.go_on(session.calls[request_id], is_last, procedure, args)
            return
        if request_id in session.streams:
            if is_last:
                session.streams.discard(request_id)
            return
        if not is_last and self.options.strict_progress and not session.has("progressive_call_invocations"):
            raise Violation
        if not is_last:
            session.streams.add(request_id)
        call = OpenCall(session, request_id, procedure, options, args)
        try:
            fault = refusal(self.options, session.role, "call", procedure)
            if fault is not None:
                raise Refused(fault)
            if not self.is_built_in(procedure):
                call.is_disclosed = rule_for(self.options, session.role, procedure).disclose_caller
                self.invoke(call, self.registration_for(procedure))
                return
            session.receives([50, request_id, {}, [self.built_in(session, procedure, args, options)]])
        except Refused as refused:
            self.error(session, 48, request_id, str(refused))

    def is_built_in(self, procedure: str) -> bool:
        raise NotImplementedError

    def built_in(self, session: Session, procedure: str, args: list[Any], options: dict[str, Any]) -> Any:
        raise NotImplementedError

    def go_on(self, call: OpenCall, is_last: bool, procedure: str, args: list[Any]) -> None:
        if not call.is_streaming or procedure != call.procedure:
            raise Violation
        call.is_streaming = not is_last
        if is_last:
            call.caller.streams.discard(call.request_id)
        details = {key: value for key, value in call.details.items() if key != "progress"}
        if not is_last:
            details["progress"] = True
        call.callee.session.receives([68, call.invocation_id, call.registration.id, details, args])

    def may_serve(self, registration: Registration, callee: Callee, procedure: str) -> bool:
        """A callee of a pattern serves what its role may register by name."""
        if not callee.session.is_there:
            return False
        if registration.match == "exact":
            return True
        allowed = rule_for(self.options, callee.session.role, procedure).register
        return allowed and not is_reserved(procedure) and not is_malformed(self.options, procedure)

    def registration_for(self, procedure: str) -> Registration:
        """The best one with a callee that is there and may serve."""
        found = [
            each
            for each in self.registrations
            if covers(each.match, each.procedure, procedure)
            and any(self.may_serve(each, callee, procedure) for callee in each.callees)
        ]
        if not found:
            raise Refused("wamp.error.no_such_procedure")
        return min(found, key=lambda each: precedence(each.match, each.procedure))

    def choose(self, registration: Registration, procedure: str, tried: list[Session]) -> Callee:
        able = [
            callee
            for callee in registration.callees
            if self.may_serve(registration, callee, procedure)
            and callee.session not in tried
            and not 0 < callee.concurrency <= registration.in_flight(callee)
        ]
        if not able:
            raise Refused(NO_CALLEE)
        if registration.invoke == "last":
            return able[-1]
        if registration.invoke == "random":
            return able[self.chance() % len(able)]
        if registration.invoke == "queue_least_loaded":
            least = min(map(registration.in_flight, able))
            able = [callee for callee in able if registration.in_flight(callee) == least]
        if registration.invoke in ("roundrobin", "queue_least_loaded"):
            later = [callee for callee in able if callee.number > registration.last]
            chosen = (later or able)[0]
            if len(registration.callees) > 1 or tried:
                # One callee alone takes no turn.
                registration.last = chosen.number
            return chosen
        return able[0]

    def invoke(self, call: OpenCall, registration: Registration) -> None:
        caller, options = call.caller, call.options
        callee = self.choose(registration, call.procedure, call.tried)
        if options.get("progress") and not self.takes_parts(callee.session):
            raise Refused("wamp.error.feature_not_supported")
        if options.get("disclose_me") and not self.options.allow_disclose_me:
            raise Refused("wamp.error.option_disallowed.disclose_me")
        call.registration, call.callee = registration, callee
        call.details = self.invocation_details(call)
        call.wants_progress = "receive_progress" in call.details
        call.invocation_id = callee.session.last_invocation = callee.session.last_invocation + 1
        caller.calls[call.request_id] = callee.session.invocations[call.invocation_id] = call
        self.start_clock(call)
        callee.session.receives([68, call.invocation_id, registration.id, call.details, call.args])

    def takes_parts(self, callee: Session) -> bool:
        """Whether it is sent progressive calls. One that announces nothing of the kind may take them all the same."""
        if self.options.strict_progress:
            return callee.has("progressive_call_invocations") and callee.has("call_canceling")
        return callee.has("progressive_call_invocations") or not callee.has("call_canceling")

    def passes_progress(self, caller: Session, callee: Session) -> bool:
        """Whether the callee is told that progressive results are wanted."""
        announced = {"progressive_call_results", "call_canceling"} <= callee.features
        return not self.options.strict_progress or (announced and caller.has("progressive_call_results"))

    def invocation_details(self, call: OpenCall) -> dict[str, Any]:
        caller, callee, options = call.caller, call.callee, call.options
        details: dict[str, Any] = {}
        if call.registration.match != "exact":
            details["procedure"] = call.procedure
        if options.get("progress"):
            details["progress"] = True
        if options.get("receive_progress") and self.passes_progress(caller, callee.session):
            details["receive_progress"] = True
        if "timeout" in options and callee.wants_timeout:
            details["timeout"] = options["timeout"]
        trustlevel = self.options.roles[caller.role].trustlevel
        if trustlevel is not None:
            details["trustlevel"] = trustlevel
        if call.is_disclosed or options.get("disclose_me") or callee.discloses:
            details |= {"caller": caller.id, "caller_authid": caller.authid, "caller_authrole": caller.role}
        return details

    def start_clock(self, call: OpenCall) -> None:
        seconds = 0.0 if call.callee.keeps_time else call.options.get("timeout", 0) / 1000
        longest = self.options.max_call_timeout
        if longest:
            seconds = min(seconds or longest, longest)
        call.timeout = seconds
        until, call.due = call.due, None
        if seconds:
            call.due = (until[0] if until else self.now() + seconds, next(self.order))

    def end(self, call: OpenCall) -> None:
        del call.caller.calls[call.request_id]
        del call.callee.session.invocations[call.invocation_id]
        if call.is_streaming:
            call.caller.streams.add(call.request_id)

    def fail(self, call: OpenCall, uri: str) -> None:
        self.end(call)
        self.error(call.caller, 48, call.request_id, uri)

    def interrupt(self, call: OpenCall, mode: str, reason: str) -> bool:
        if not call.callee.session.has("call_canceling"):
            return False
        options = {"mode": mode, "reason": f"wamp.error.{reason}"}
        call.callee.session.receives([69, call.invocation_id, options])
        return True

    def invocation(self, session: Session, invocation_id: int) -> OpenCall | None:
        if invocation_id > session.last_invocation:
            raise Violation
        return session.invocations.get(invocation_id)

    def yields(self, session: Session, invocation_id: int, options: dict[str, Any], args: list[Any]) -> None:
        call = self.invocation(session, invocation_id)
        if call is None:
            return
        if not options.get("progress"):
            self.end(call)
            call.caller.receives([50, call.request_id, {}, args])
            return
        if self.options.strict_progress and not session.has("progressive_call_results"):
            raise Violation
        if call.wants_progress:
            call.caller.receives([50, call.request_id, {"progress": True}, args])
            if call.due:
                call.due = (self.now() + call.timeout, next(self.order))

    def fails(self, session: Session, invocation_id: int, uri: str) -> None:
        call = self.invocation(session, invocation_id)
        if call is None:
            return
        self.end(call)
        if " " in uri:
            self.error(call.caller, 48, call.request_id, "wamp.error.invalid_uri")
        elif uri == "wamp.error.unavailable" and session.has("call_reroute") and not call.is_killed:
            self.reroute(call)
        else:
            call.caller.receives([8, 48, call.request_id, {}, uri, ["why"]])

    def reroute(self, call: OpenCall) -> None:
        call.tried.append(call.callee.session)
        try:
            if call.options.get("progress"):
                raise Refused(NO_CALLEE)
            self.invoke(call, call.registration)
        except Refused as refused:
            self.error(call.caller, 48, call.request_id, str(refused))

    def cancel(self, session: Session, request_id: int, mode: str | None) -> None:
        call = session.calls.get(request_id)
        if call is None or call.is_killed:
            return
        told = mode != "skip" and self.interrupt(call, mode or "killnowait", "canceled")
        if mode == "kill" and told:
            call.is_killed = True
        else:
            self.fail(call, "wamp.error.canceled")

    def time_out(self, call: OpenCall) -> None:
        if not call.is_killed:
            self.interrupt(call, "killnowait", "timeout")
        self.fail(call, "wamp.error.timeout")

    def detach_calls(self, session: Session) -> None:
        for call in list(session.calls.values()):
            self.end(call)
            if not call.is_killed:
                self.interrupt(call, "killnowait", "canceled")
        for call in list(session.invocations.values()):
            self.fail(call, "wamp.error.canceled")


def describe(registration: Registration) -> dict[str, Any]:
    return {
        "id": registration.id, "created": ANYTHING, "uri": registration.procedure, "match": registration.match,
        "invoke": registration.invoke,
    }  # fmt: skip
