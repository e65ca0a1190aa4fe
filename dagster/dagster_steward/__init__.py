"""steward's jobs in Dagster.

Three lines of a ``definitions.py``::

    from dagster_steward import steward_definitions

    defs = steward_definitions(config="/etc/steward/steward.yaml")
"""

from dagster_steward.catalogue import Catalogue, CatalogueError, read_catalogue
from dagster_steward.definitions import steward_definitions

__all__ = ["Catalogue", "CatalogueError", "read_catalogue", "steward_definitions"]
