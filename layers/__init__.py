"""What a map shows. Folium is imported here, and without pandas.

It asks whether what it is given is a frame, which layers never give; pandas takes 65 MiB of a server.
"""

import sys

if "pandas" not in sys.modules:
    sys.modules["pandas"] = None  # type: ignore[assignment]  # as if it were not installed
    import folium  # noqa: F401 (for those that follow)

    del sys.modules["pandas"]
