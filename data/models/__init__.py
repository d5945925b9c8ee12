from data.models.area import Area, AreaLayer, AreaPiece
from data.models.assessment import Assessment, AssessmentVerdict
from data.models.association import (
    JoinRequest,
    Meeting,
    MeetingDate,
    MemberContact,
    WatchBoundary,
    WatchInvitation,
    WatchWords,
    WordsField,
)
from data.models.base import Base
from data.models.block_watch import BlockWatch
from data.models.category import Category
from data.models.desk import LightResult, PoleChange, PoleChangeKind, PoleImport, PoleImportState
from data.models.follow import Follow, Pace, Told
from data.models.gazetteer import Address, AddressRange, Corner, GazetteerBuild, StreetName
from data.models.ground import Ground, GroundType
from data.models.home_cell import HomeCell
from data.models.hot_spot import AnalysisState, HotSpotRun
from data.models.import_run import ImportRun, RejectedRow
from data.models.mail import Mail
from data.models.moderation import HiddenWords, ReportHold, ReviewState, TextAppeal, TextReview
from data.models.need import Need, NeedReport
from data.models.parcel import LandUse, Parcel
from data.models.person import (
    Attempt,
    AuditEntry,
    Department,
    Person,
    RoleGrant,
    SignIn,
    SignInLink,
)
from data.models.photo import DiscardedPhoto, Photo, PhotoAppeal, PhotoState
from data.models.plan import (
    Plan,
    PlanFigures,
    PlanNote,
    PlanPartner,
    PlanReport,
    PlanStep,
    PlanTask,
)
from data.models.police_incident import PoliceIncident
from data.models.priority import DarkRun, NeedRank, WeightsVersion
from data.models.report import (
    EventKind,
    Report,
    ReportBrowser,
    ReportContact,
    ReportEvent,
    StatusStep,
    Submission,
    Support,
)
from data.models.service_location import (
    LocationType,
    Organization,
    Service,
    ServiceAtLocation,
    ServiceLocation,
    ServiceStatus,
)
from data.models.street import Street
from data.models.street_light import LightStatus, StreetLight
from data.models.tally import LayerChange, ReportTally
from data.models.transit_stop import TransitStop
from data.models.vacant_lot import VacantLot
from data.models.walk import Walk, WalkAnswer, WalkStop
from data.models.work import (
    Assignment,
    CategoryTarget,
    FixAnswer,
    FixAsked,
    Nudge,
    ResponseTemplate,
    SavedFilter,
)
from data.models.work_order import WorkOrder, WorkOrderEvent, WorkOrderPhoto
from data.models.work_plan import (
    Crew,
    Depot,
    PlanAsked,
    PlanState,
    UnitCost,
    WorkPlan,
    WorkPlanNeed,
)

__all__ = [
    "Address",
    "AddressRange",
    "AnalysisState",
    "Area",
    "AreaLayer",
    "AreaPiece",
    "Assessment",
    "AssessmentVerdict",
    "Assignment",
    "Attempt",
    "AuditEntry",
    "Base",
    "BlockWatch",
    "Category",
    "CategoryTarget",
    "Corner",
    "Crew",
    "DarkRun",
    "Department",
    "Depot",
    "DiscardedPhoto",
    "EventKind",
    "FixAnswer",
    "FixAsked",
    "Follow",
    "GazetteerBuild",
    "Ground",
    "GroundType",
    "HiddenWords",
    "HomeCell",
    "HotSpotRun",
    "ImportRun",
    "JoinRequest",
    "LandUse",
    "LayerChange",
    "LightResult",
    "LightStatus",
    "LocationType",
    "Mail",
    "Meeting",
    "MeetingDate",
    "MemberContact",
    "Need",
    "NeedRank",
    "NeedReport",
    "Nudge",
    "Organization",
    "Pace",
    "Parcel",
    "Person",
    "Photo",
    "PhotoAppeal",
    "PhotoState",
    "Plan",
    "PlanAsked",
    "PlanFigures",
    "PlanNote",
    "PlanPartner",
    "PlanReport",
    "PlanState",
    "PlanStep",
    "PlanTask",
    "PoleChange",
    "PoleChangeKind",
    "PoleImport",
    "PoleImportState",
    "PoliceIncident",
    "RejectedRow",
    "Report",
    "ReportBrowser",
    "ReportContact",
    "ReportEvent",
    "ReportHold",
    "ReportTally",
    "ResponseTemplate",
    "ReviewState",
    "RoleGrant",
    "SavedFilter",
    "Service",
    "ServiceAtLocation",
    "ServiceLocation",
    "ServiceStatus",
    "SignIn",
    "SignInLink",
    "StatusStep",
    "Street",
    "StreetLight",
    "StreetName",
    "Submission",
    "Support",
    "TextAppeal",
    "TextReview",
    "Told",
    "TransitStop",
    "UnitCost",
    "VacantLot",
    "Walk",
    "WalkAnswer",
    "WalkStop",
    "WatchBoundary",
    "WatchInvitation",
    "WatchWords",
    "WeightsVersion",
    "WordsField",
    "WorkOrder",
    "WorkOrderEvent",
    "WorkOrderPhoto",
    "WorkPlan",
    "WorkPlanNeed",
]
