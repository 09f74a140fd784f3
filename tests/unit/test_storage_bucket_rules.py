"""What a bucket lacks, and whose rules stay."""

import pytest

from haulier.storage.bucket_rules import Wanted, aborts_uploads, cors, lifecycle, versioning

WANTED = Wanted(expire_days=8, cors_origins=("https://app.example",))
FOREIGN = {"ID": "logs", "Filter": {"Prefix": "logs/"}, "Status": "Enabled", "Expiration": {"Days": 3}}


def ids(rules):
    return [rule["ID"] for rule in rules]


def test_a_bare_bucket_gets_rules_for_artefacts_and_uploads_alone():
    rules = lifecycle([], WANTED, is_versioned=False)

    assert ids(rules) == ["haulier-artefacts", "haulier-uploads"]
    assert {rule["Filter"]["Prefix"] for rule in rules} == {"artifacts/"}
    assert rules[0]["Expiration"] == {"Days": 8}
    assert rules[1]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}


def test_earlier_versions_expire_in_a_versioned_bucket():
    versions = lifecycle([], WANTED, is_versioned=True)[-1]

    assert versions["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
    assert versions["Expiration"] == {"ExpiredObjectDeleteMarker": True}


@pytest.mark.parametrize("is_versioned", [True, False])
def test_what_is_there_already_is_no_change(is_versioned):
    rules = lifecycle([FOREIGN], WANTED, is_versioned=is_versioned)

    assert lifecycle(rules[::-1], WANTED, is_versioned=is_versioned) is None
    assert cors(cors([], WANTED), WANTED) is None


def test_rules_of_others_stay_and_ours_are_replaced():
    before = lifecycle([FOREIGN], WANTED, is_versioned=True)
    after = lifecycle(before, Wanted(expire_days=30), is_versioned=False)

    assert ids(after) == ["logs", "haulier-artefacts", "haulier-uploads"]
    assert after[0] == FOREIGN
    assert after[1]["Expiration"] == {"Days": 30}


def test_a_rule_of_the_old_form_is_kept_in_the_new_one():
    old = {"ID": "logs", "Prefix": "logs/", "Status": "Enabled", "Expiration": {"Days": 3}}

    assert lifecycle([old], WANTED, is_versioned=False)[0] == FOREIGN


def test_cors_stays_as_it_is_unless_origins_are_named():
    assert cors([], Wanted(expire_days=8)) is None
    assert cors([{"AllowedOrigins": ["*"], "AllowedMethods": ["PUT"]}], WANTED)[0]["AllowedMethods"] == ["PUT"]


@pytest.mark.parametrize(
    ("status", "wanted", "change"),
    [
        ("", None, None),
        ("Enabled", None, None),
        ("", True, "Enabled"),
        ("Suspended", True, "Enabled"),
        ("Enabled", True, None),
        ("Enabled", False, "Suspended"),
        ("", False, None),
        ("Suspended", False, None),
    ],
)
def test_versioning_is_set_where_it_is_asked_for(status, wanted, change):
    assert versioning(status, Wanted(expire_days=8, versioning=wanted)) == change


@pytest.mark.parametrize(
    ("rule", "aborts"),
    [
        ({"Filter": {"Prefix": "artifacts/"}}, True),
        ({"Filter": {}}, True),
        ({"Prefix": ""}, True),
        ({"Filter": {"Prefix": "art"}}, True),
        ({"Filter": {"Prefix": "logs/"}}, False),
        ({"Filter": {"And": {"Prefix": "", "Tags": []}}}, False),
        ({"Filter": {"Prefix": ""}, "Status": "Disabled"}, False),
    ],
)
def test_a_rule_of_anybody_that_aborts_our_uploads_counts(rule, aborts):
    aborting = {"Status": "Enabled", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}

    assert aborts_uploads([FOREIGN, aborting | rule]) == aborts
