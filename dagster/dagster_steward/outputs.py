"""What small things the steps of a job hand on, kept in Dagster's own event log.

Steps that run in pods of their own share no folder. They share the instance's storage: what they hand on here are a few
hundred bytes each, and no bucket or volume is needed for them.
"""

import json
from typing import Any

import dagster as dg

_VALUE, _MAPPING_KEY = "value", "mapping_key"


class EventLogIOManager(dg.IOManager):
    """Keeps an output as JSON in the metadata of the event that says it was handled."""

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Keep it."""
        context.add_output_metadata(
            {_VALUE: dg.MetadataValue.text(json.dumps(obj)), _MAPPING_KEY: context.mapping_key or ""}
        )

    def load_input(self, context: dg.InputContext) -> Any:
        """Find it again; of several, as after a retry, the last."""
        output = context.upstream_output
        assert output is not None, "it is for steps, which have one before them"
        events = context.instance.all_logs(output.run_id, of_type=dg.DagsterEventType.HANDLED_OUTPUT)
        for entry in reversed(events):
            event = entry.dagster_event
            if event is None or event.step_key != output.step_key:
                continue
            handled: Any = event.event_specific_data
            kept = {name: value.value for name, value in handled.metadata.items()}
            if handled.output_name == output.name and kept.get(_MAPPING_KEY) == (output.mapping_key or ""):
                return json.loads(str(kept[_VALUE]))
        raise dg.Failure(f"what {output.step_key} has handed on as {output.name} is not in run {output.run_id}")


@dg.io_manager(description="Small outputs, in Dagster's event log.")
def event_log_io_manager() -> EventLogIOManager:
    """As a resource of a job."""
    return EventLogIOManager()
