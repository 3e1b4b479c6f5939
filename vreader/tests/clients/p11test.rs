//! p11test, with which OpenSC's own continuous integration tests PKCS#11 modules with cards: every object, key and mechanism of the
//! token, checked by OpenSSL. `tools/install-p11test` builds it.

use serde_json::Value;

use crate::{
    cac::{GEMALTO, world},
    card::{PIN, built, opensc_module},
};

/// Its result with OpenSC's module and this driver: for each test, how it went, and its table.
fn run(driver: &str) -> Vec<Value> {
    let world = world(GEMALTO, &[]);
    world
        .client(&built("p11test/p11test", "install-p11test"))
        .env("OPENSC_DRIVER", driver)
        .args(["-m", &opensc_module(), "-p", PIN, "-o", "results.json"])
        .succeeds();
    let mut results: Value = serde_json::from_slice(&world.read("results.json")).expect("JSON");
    serde_json::from_value(results["results"].take()).expect("a list of tests")
}

/// Which tests did not pass, and how they went.
fn not_passed(results: &[Value]) -> Vec<(&str, &str)> {
    results
        .iter()
        .map(|test| (text(&test["test_id"]), text(&test["result"])))
        .filter(|(_, result)| *result != "pass")
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

/// The rows of a test's table, without its head.
fn rows<'a>(results: &'a [Value], test: &str) -> Vec<Vec<&'a str>> {
    let found = results.iter().find(|result| result["test_id"] == test).expect("a test that ran");
    let table = found["data"].as_array().expect("a table");
    table.iter().skip(1).map(|row| row.as_array().expect("a row").iter().map(text).collect()).collect()
}

#[test]
fn through_the_cac_applets() {
    let results = run("cac");
    // It waits for no card, and there is no elliptic key.
    assert_eq!(not_passed(&results), [("wait_test", "skip"), ("ec_sign_size_test", "skip")]);
    let usage: Vec<_> =
        rows(&results, "usage_test").iter().map(|row| row.join(" ").trim().to_owned()).collect();
    assert_eq!(
        usage,
        [
            "00:01 CAC ID Certificate RSA 2048 YES YES YES",
            "00:02 CAC Email Signature Certificate RSA 2048 YES YES YES",
            "00:03 CAC Email Encryption Certificate RSA 2048 YES   YES YES",
        ]
    );
    let works = rows(&results, "readonly_tests");
    for (id, signs) in [("00:01", true), ("00:02", true), ("00:03", false)] {
        let of_key: Vec<_> = works.iter().filter(|row| row[0] == id).collect();
        assert_eq!(of_key.len(), if signs { 9 } else { 2 }, "{id}");
        assert!(of_key.iter().all(|row| row[2..] == if signs { ["YES", ""] } else { ["", "YES"] }), "{id}");
    }
    assert_eq!(rows(&results, "multipart_tests").len(), 14);
    let padding = rows(&results, "pss_oaep_test");
    assert!(padding.iter().all(|row| row[5..].contains(&"YES")), "{padding:?}");
    assert!(padding.iter().any(|row| row[0] == "00:03" && row[1] == "RSA_PKCS_OAEP"), "{padding:?}");
}

#[test]
fn through_piv() {
    let results = run("PIV-II");
    assert_eq!(not_passed(&results), [("wait_test", "skip")]);
    let works = rows(&results, "readonly_tests");
    for (id, column) in [("01", 2), ("02", 2), ("03", 3), ("04", 2)] {
        let of_key: Vec<_> = works.iter().filter(|row| row[0] == id).collect();
        assert!(!of_key.is_empty() && of_key.iter().all(|row| row[column] == "YES"), "{id}: {works:?}");
    }
}
