"""What small things the steps of a job hand on, kept in Dagster's own event log.

Steps that run in pods of their own share no folder. They share the instance's storage: what they hand on here are a few
hundred bytes each, and no bucket or volume is needed for them.
"""

import json
from typing import Any

import dagster as dg

_VALUE, _MAPPING_KEY = "value", "mapping_key"

#: Which output it is: of which step, by which name, for which mapping key.
_Place = tuple[str, str, str]


class EventLogIOManager(dg.IOManager):
    """Keeps an output as JSON in the metadata of the event that says it was handled."""

    def __init__(self) -> None:
        self._found: dict[str, dict[_Place, str]] = {}

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Keep it."""
        context.add_output_metadata(
            {_VALUE: dg.MetadataValue.text(json.dumps(obj)), _MAPPING_KEY: context.mapping_key or ""}
        )

    def load_input(self, context: dg.InputContext) -> Any:
        """Find it again; of several, as after a retry, the last."""
        output = context.upstream_output
        assert output is not None, "it is for steps, which have one before them"
        place = (output.step_key, output.name, output.mapping_key or "")
        # A step that collects a thousand others reads the log once, and not a thousand times.
        if place not in self._found.get(output.run_id, {}):
            self._found[output.run_id] = _handed_on(context.instance, output.run_id)
        try:
            return json.loads(self._found[output.run_id][place])
        except KeyError:
            raise dg.Failure(
                f"what {output.step_key} has handed on as {output.name} is not in run {output.run_id}"
            ) from None


def _handed_on(instance: dg.DagsterInstance, run_id: str) -> dict[_Place, str]:
    """All that the run's steps have handed on so far."""
    found: dict[_Place, str] = {}
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.HANDLED_OUTPUT):
        event = entry.dagster_event
        if event is None or event.step_key is None:
            continue
        handled: Any = event.event_specific_data
        kept = {name: value.value for name, value in handled.metadata.items()}
        if _VALUE in kept and _MAPPING_KEY in kept:  # else another I/O manager's
            found[event.step_key, handled.output_name, str(kept[_MAPPING_KEY])] = str(kept[_VALUE])
    return found


@dg.io_manager(description="Small outputs, in Dagster's event log.")
def event_log_io_manager() -> EventLogIOManager:
    """As a resource of a job."""
    return EventLogIOManager()
