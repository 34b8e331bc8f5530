//! The demo, as somebody who just cloned the repository runs it.

use std::process::Command;

#[test]
fn it_sends_two_newsletters_and_its_sums_add_up() {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_rundbrief"))
        .args(["demo", "--once", "--json"])
        .current_dir(directory.path())
        .env("TMPDIR", directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let books: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(books.len(), 2);
    for book in &books {
        let number = |name: &str| book[name].as_i64().unwrap_or_else(|| panic!("{name}: {book}"));
        let parts = [
            "queued",
            "claimed",
            "sending",
            "accepted",
            "deferred",
            "failed",
            "unknown",
            "cancelled",
        ];
        assert_eq!(parts.iter().map(|part| number(part)).sum::<i64>(), number("total"), "{book}");
        assert_eq!(number("caught"), number("accepted"), "{book}");
        assert_eq!(book["state"], "finished");
        for some in ["accepted", "failed", "bounced"] {
            assert!(number(some) > 0, "the demo shows every fate: {some} in {book}");
        }
        assert_eq!(number("deferred"), 0, "who said later was come back to");
    }
    let total: i64 = books.iter().map(|book| book["total"].as_i64().unwrap()).sum();
    assert_eq!(total, 200);
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert!(left.is_empty(), "it leaves nothing behind: {left:?}");
}
