"""The root of a configuration: the node and its workers."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from wamp_transport.config.environment_variables import switch_from_environment
from wamp_transport.config.realm import RealmSection
from wamp_transport.config.section import Section, Unoffered, identifier, setting
from wamp_transport.config.transport import TransportSection

_ONE_PROCESS = "the router runs inside the Django process; set this for that process"

Switch = Annotated[bool, BeforeValidator(switch_from_environment, json_schema_input_type=bool | str)]


class WorkerOptions(Section):
    """Options of the process that Crossbar would start for a worker."""

    disabled: Switch = setting(
        False,
        'Disable this worker. "${NAME}": disable it if the environment variable NAME is not empty.',
    )
    title: str | None = setting(None, "Title of the process.", ignored=_ONE_PROCESS)
    python: str | None = setting(None, "Python executable.", ignored=_ONE_PROCESS)
    pythonpath: tuple[str, ...] = setting((), "Directories to import from.", ignored=_ONE_PROCESS)
    cpu_affinity: tuple[int, ...] = setting((), "Processors to run on.", ignored=_ONE_PROCESS)
    env: Any = setting(None, "Environment of the process.", ignored=_ONE_PROCESS, secret=True)
    extra: Any = setting(None, "Values for components.", ignored=_ONE_PROCESS)
    expose_controller: bool = setting(False, "Pass the node's controller to components.", ignored=_ONE_PROCESS)
    expose_shared: bool = setting(False, "Pass a shared object to components.", ignored=_ONE_PROCESS)


class RouterWorker(Section):
    """A router: realms, and transports through which clients join them."""

    type: Literal["router"] = setting(..., 'Must be "router".')
    id: str | None = identifier()
    options: WorkerOptions = setting(WorkerOptions(), "Options of the worker.")
    realms: tuple[RealmSection, ...] = setting(
        (),
        "Realms of the router. If no worker has realms, the router has one realm, realm1, open to anonymous clients. "
        "Crossbar's examples rely on this.",
    )
    transports: tuple[TransportSection, ...] = setting((), "The addresses and services that clients connect to.")
    components: tuple[Any, ...] = setting(
        (), "Components to run beside the router.", ignored="components are not started here; run them as WAMP clients"
    )
    connections: Any = setting(None, "Database connections.", ignored="not offered", quiet=((),))
    manhole: Any = setting(None, "A remote shell in the process.", ignored="not offered", secret=True)


class OtherWorker(Section, extra="allow"):
    """A worker of a type that Crossbar supports and this node does not."""

    type: Literal["container", "guest", "websocket-testee", "proxy", "hostmonitor"] = setting(
        ..., "A type of worker that is not offered."
    )
    unoffered: ClassVar[Unoffered | None] = Unoffered(
        'workers of type "{type}" are not supported; this worker is ignored',
        "start its components as programs of their own",
    )


Worker = Annotated[RouterWorker | OtherWorker, Field(discriminator="type")]


class Controller(Section):
    """Crossbar's node controller."""

    id: Any = setting(None, "Name of the node.", ignored="there is no controller process")
    options: Any = setting(None, "Options of the controller.", ignored="there is no controller process", quiet=({},))
    manhole: Any = setting(None, "A remote shell in the controller.", ignored="not offered", secret=True)
    connections: Any = setting(None, "Database connections.", ignored="not offered", quiet=((),))
    keyring: Any = setting(None, "Keys of the node.", ignored="not offered", secret=True)


class Node(Section):
    """A node configuration in the format of Crossbar's config.json, version 2."""

    schema_url: str | None = setting(None, "URL of a JSON Schema, for editors.", alias="$schema")
    version: int = setting(2, "Version of the format: 2.", ge=2, le=2, expected="2")
    controller: Controller = setting(
        Controller(), "Crossbar's node controller. This router has none, so its attributes are ignored."
    )
    workers: tuple[Worker, ...] = setting(
        (), "Workers of the node. All router workers together form one router. Other types are ignored."
    )
