import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from geo.areas import NOWHERE, area_ids

# Whole numbers, so that points fall on corners and edges, and edges are met exactly.
coordinates = st.integers(0, 8)
boxes = st.tuples(coordinates, coordinates, st.integers(1, 5), st.integers(1, 5)).map(
    lambda b: shapely.box(b[0], b[1], b[0] + b[2], b[1] + b[3])
)
triangles = st.tuples(boxes, st.booleans()).map(
    lambda made: shapely.Polygon(
        np.asarray(made[0].exterior.coords)[[0, 1, 2] if made[1] else [0, 2, 3]]
    )
)
rings = boxes.map(lambda box: box.difference(shapely.box(2, 2, 3, 3))).filter(
    lambda shape: not shape.is_empty and shape.area > 0
)
points = st.lists(st.tuples(coordinates, coordinates), max_size=30)


@given(st.lists(st.one_of(boxes, triangles, rings), max_size=6), points)
def test_each_point_gets_the_first_area_that_shapely_says_it_meets(polygons, places):
    x = np.array([place[0] for place in places], dtype=float)
    y = np.array([place[1] for place in places], dtype=float)
    ids = [10 * (index + 1) for index in range(len(polygons))]

    expected = [
        next(
            (
                id_
                for id_, polygon in zip(ids, polygons, strict=True)
                if shapely.intersects(polygon, shapely.Point(place))
            ),
            NOWHERE,
        )
        for place in places
    ]
    assert area_ids(x, y, ids, polygons).tolist() == expected


@given(points, st.randoms())
def test_the_order_of_the_points_makes_no_difference(places, random):
    polygons = [shapely.box(0, 0, 4, 4), shapely.box(4, 0, 8, 8)]
    shuffled = random.sample(range(len(places)), len(places))
    xy = np.array(places, dtype=float).reshape(-1, 2)

    whole = area_ids(xy[:, 0], xy[:, 1], [1, 2], polygons)

    assert area_ids(*xy[shuffled].T, [1, 2], polygons).tolist() == whole[shuffled].tolist()


def test_a_point_on_a_shared_edge_belongs_to_exactly_one_area():
    left, right = shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)
    x, y = np.array([1.0, 1.0]), np.array([0.5, 1.0])

    assert area_ids(x, y, [3, 4], [left, right]).tolist() == [3, 3]


def test_no_position_lies_nowhere():
    square = shapely.box(0, 0, 1, 1)

    assert area_ids(np.array([np.nan]), np.array([0.5]), [1], [square]).tolist() == [NOWHERE]
    assert area_ids(np.array([]), np.array([]), [1], [square]).tolist() == []


def test_an_id_too_many_is_refused():
    with pytest.raises(ValueError, match="as many ids as polygons"):
        area_ids(np.zeros(1), np.zeros(1), [1, 2], [shapely.box(0, 0, 1, 1)])


def test_the_database_assigns_the_same_areas_on_edges_corners_and_inside(session):
    # A city of 8 by 8 squares, cut by two layers of areas that share edges and overlap.
    step = 1 / 64
    city = shapely.box(-94.625, 39.0, -94.625 + 8 * step, 39.0 + 8 * step)
    areas = [("city", city)] + [
        ("neighbourhood", shapely.box(*corners))
        for i in range(4)
        for j in range(4)
        if (
            corners := (
                -94.625 + 2 * i * step,
                39.0 + 2 * j * step,
                -94.625 + (2 * i + 2 + (i == j)) * step,
                39.0 + (2 * j + 2) * step,
            )
        )
    ]
    for number, (layer, shape) in enumerate(areas):
        session.execute(
            text(
                "INSERT INTO area (layer, code, name, geom) VALUES (CAST(:layer AS area_layer), "
                ":code, :code, ST_Multi(ST_GeomFromWKB(:shape, 4326)))"
            ),
            {"layer": layer, "code": str(number), "shape": shape.wkb},
        )
    x, y = (values.ravel() for values in np.meshgrid(*(np.arange(17) * step / 2,) * 2))
    x, y = x - 94.625, y + 39.0
    for longitude, latitude in zip(x.tolist(), y.tolist(), strict=True):
        session.execute(
            text(
                "INSERT INTO report (kind, category_code, exact_geom, occurred_at) "
                "VALUES ('lighting', 'light_out', ST_Point(:x, :y, 4326), now())"
            ),
            {"x": longitude, "y": latitude},
        )
    stored = session.execute(
        text("SELECT exact_neighbourhood_id FROM report ORDER BY id")
    ).scalars()
    ids, shapes = zip(
        *session.execute(
            text("SELECT id, ST_AsBinary(geom) FROM area WHERE layer = 'neighbourhood' ORDER BY id")
        ),
        strict=True,
    )

    ours = area_ids(x, y, ids, shapely.from_wkb(shapes))

    assert ours.tolist() == [NOWHERE if id_ is None else id_ for id_ in stored]
    assert (ours != NOWHERE).all()
