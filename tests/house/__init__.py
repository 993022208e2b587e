"""The walls of the house: what no tool of the lint holds."""

ROOMS = (
    "bench",
    "clusters",
    "conformance",
    "fixtures",
    "foretell",
    "launch",
    "migrate",
    "releases",
    "reports",
    "side_by_side",
    "specification",
)
"""The folders of the suite, without its own tests."""
