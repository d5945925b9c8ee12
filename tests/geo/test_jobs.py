"""What is one repair: needs together, points that they share once, lights in order along their row."""

import numpy as np
from scipy.sparse import csr_array

from geo.jobs import CHECK_MINUTES, in_row, jobs_of, minutes


def test_needs_of_one_number_are_one_job_and_each_zero_is_one_by_itself():
    jobs = jobs_of(np.array([0, 9, 0, 4, 9]))
    assert jobs.of.tolist() == [0, 1, 2, 3, 1]
    assert jobs.sizes.tolist() == [1, 2, 1, 1]
    assert jobs.firsts.tolist() == [0, 1, 2, 3]
    assert jobs.total(np.array([1.0, 2, 4, 8, 16])).tolist() == [1, 18, 4, 8]
    assert jobs.least(np.array([5.0, 4, 3, 2, 1])).tolist() == [5, 1, 3, 2]
    some = np.array([False, False, True, False, True])
    assert jobs.any(some).tolist() == [False, True, True, False]
    assert jobs.needs(jobs.any(some)).tolist() == [False, True, True, False, True]


def test_a_point_that_several_lights_of_a_row_reach_is_reached_once():
    reach = csr_array(np.array([[1.0, 1, 0], [0, 1, 1], [0, 0, 1]]))
    together = jobs_of(np.array([3, 3, 0])).reach(reach)
    assert together.toarray().tolist() == [[1, 1, 1], [0, 0, 1]]


def test_of_nothing_there_are_no_jobs():
    jobs = jobs_of(np.zeros(0, np.int64))
    assert jobs.sizes.size == 0
    assert jobs.reach(csr_array((0, 4))).shape == (0, 4)


def test_lights_are_in_order_along_their_row_whichever_way_it_runs():
    assert in_row(np.array([[0.0, 90], [3, 0], [1, 40]])) == [1, 2, 0]
    assert in_row(np.array([[80.0, 2], [0, 5], [40, 0]])) == [1, 2, 0]


def test_the_repair_is_at_the_first_light_and_a_check_at_each_further():
    assert minutes(1, 40) == [40]
    assert minutes(3, 150) == [150, CHECK_MINUTES, CHECK_MINUTES]
