import subprocess
import sys


def test_a_server_does_without_pandas_and_others_need_not():
    code = (
        "import sys; from server.app import create_app; assert 'pandas' not in sys.modules; "
        "import geopandas, folium; assert folium.Map().get_root().render()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
