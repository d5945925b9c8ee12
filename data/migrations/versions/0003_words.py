"""The vocabulary: categories and the steps between statuses.

Written out here as it stood, so that this migration means the same in years to come; a test holds
the tables against `geo.categories` and `geo.statuses`, and a later migration carries each change.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

CATEGORIES = """
light_out | lighting | Street lights | Street light is out | L01 | 20 | public_space
light_flickers | lighting | Street lights | Light flickers or is dim | L02 | 20 | public_space
light_day_burner | lighting | Street lights | Light is on all day | L03 | 20 | public_space
block_dark | lighting | Street lights | Whole block is dark | L04 | 120 | public_space
light_damaged | lighting | Street lights | Pole or wires are damaged | L05 | 20 | public_space
light_blocked | lighting | Dark places | Trees block the light | L06 | 40 | public_space
light_needed | lighting | Dark places | A light is needed here | L07 | 60 | public_space
dumping | cleanup | Trash | Illegal dumping | C01 | 40 | public_space
litter | cleanup | Trash | Litter or overflowing bin | C02 | 40 | public_space
private_trash | cleanup | Trash | Trash piled up on a property | C03 | 30 | home
overgrowth | cleanup | Weeds and lots | Tall weeds or overgrowth | C04 | 40 | home
vacant_lot | cleanup | Weeds and lots | Neglected vacant lot | C05 | 40 | public_space
graffiti | cleanup | Street and walls | Graffiti | C06 | 30 | public_space
abandoned_vehicle | cleanup | Street and walls | Abandoned vehicle | C07 | 30 | public_space
sign_damaged | cleanup | Street and walls | Sign missing or damaged | C08 | 30 | public_space
open_building | problem_spot | Buildings | Vacant building is open | P01 | 30 | public_space
unsafe_building | problem_spot | Buildings | Building looks unsafe | P02 | 30 | home
property_neglect | problem_spot | Buildings | Neglected property | P03 | 30 | home
street_trouble | problem_spot | Trouble spots | Spot where trouble keeps happening | P04 | 80 | public_space
noise_spot | problem_spot | Trouble spots | Loud noise again and again | P05 | 80 | home
speeding | problem_spot | Trouble spots | Speeding or street racing | P06 | 120 | public_space
break_ins | problem_spot | Trouble spots | Cars or garages broken into | P07 | 80 | home
blind_corner | problem_spot | Hard to see or walk | Blind corner or hidden path | P08 | 60 | public_space
unsafe_crossing | problem_spot | Hard to see or walk | Unsafe crossing or sidewalk | P09 | 60 | public_space
nuisance | problem_spot | Trouble spots | Other nuisance at a place | P10 | 50 | home
"""

STEPS = {
    "held": "received declined",
    "received": "held confirmed scheduled in_progress done duplicate declined not_ours",
    "confirmed": "held scheduled in_progress done duplicate declined not_ours",
    "scheduled": "held confirmed in_progress done duplicate declined not_ours",
    "in_progress": "held confirmed scheduled done duplicate declined not_ours",
    "done": "held confirmed verified",
    "verified": "held confirmed",
    "duplicate": "received confirmed",
    "declined": "received confirmed",
    "not_ours": "received confirmed",
}


def quoted(words: list[str]) -> str:
    return ", ".join("'" + word.strip().replace("'", "''") + "'" for word in words)


def upgrade() -> None:
    for line in CATEGORIES.strip().splitlines():
        op.execute(
            "INSERT INTO category "
            "(code, kind, group_name, name, service_code, duplicate_radius_m, setting) "
            f"VALUES ({quoted(line.split('|'))})"
        )
    for before, following in STEPS.items():
        for after in following.split():
            op.execute(f"INSERT INTO status_step (before, after) VALUES ('{before}', '{after}')")


def downgrade() -> None:
    op.execute("DELETE FROM status_step")
    op.execute("DELETE FROM category")
