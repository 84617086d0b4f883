"""What a change says of itself."""

from tests.catalogue.models import Item
from wamp_transport.model_events.changes import Change


def test_change_names_its_row():
    change = Change("updated", Item(pk=7), "default")
    assert change.pk == 7
    assert str(change) == "catalogue.Item 7 updated"
    assert change.update_fields is None
