//! The pages in `docs/`: every command in a block that is marked `console` is run, and has to print what the page shows.
//!
//! A page is one session of a shell in an empty folder. A line that begins with `$ ` is a command, the lines below are what it prints on
//! both outputs; `...` in a line stands for any text, and alone on a line for any number of lines. A command may fail only if the page
//! shows why, in a line of `vreader: `. Pages use programs that `tools/install-clients` installs.

use std::{
    env,
    fmt::Write as _,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

/// What a page says instead of something that differs each time.
const ANYTHING: &str = "...";

/// Seconds for a page: far more than the longest takes.
const PATIENCE: &str = "300";

/// A command of a page.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    /// Where it stands, counted from 1.
    line: usize,
    command: String,
    prints: Vec<String>,
}

/// The commands in the blocks of a page.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut in_block = false;
    for (line, text) in (1..).zip(page.lines()) {
        if text.starts_with("```") {
            in_block = !in_block && text == "```console";
        } else if let (true, Some(command)) = (in_block, text.strip_prefix("$ ")) {
            steps.push(Step { line, command: command.to_owned(), prints: Vec::new() });
        } else if let (true, Some(step)) = (in_block, steps.last_mut()) {
            if step.prints.is_empty() && step.command.ends_with('\\') {
                step.command.push('\n');
                step.command.push_str(text);
            } else {
                step.prints.push(text.to_owned());
            }
        }
    }
    steps
}

/// Whether lines are what a page shows.
fn fit(shown: &[String], printed: &[&str]) -> bool {
    match (shown, printed) {
        ([], []) => true,
        ([first, rest @ ..], _) if first == ANYTHING => {
            (0..=printed.len()).any(|skipped| fit(rest, &printed[skipped..]))
        }
        ([first, rest @ ..], [line, others @ ..]) => fits(first, line) && fit(rest, others),
        _ => false,
    }
}

/// Whether one line is.
fn fits(shown: &str, printed: &str) -> bool {
    match shown.split_once(ANYTHING) {
        None => shown == printed,
        Some((start, rest)) => printed.strip_prefix(start).is_some_and(|tail| {
            (0..=tail.len()).filter(|at| tail.is_char_boundary(*at)).any(|at| fits(rest, &tail[at..]))
        }),
    }
}

/// Runs a page. The first thing that is not as it says.
fn run(page: &Path) -> Result<usize, String> {
    let steps = steps(&fs::read_to_string(page).expect("a page"));
    let place = tempfile::tempdir().expect("a temporary folder");
    let [programs, folder, results] = ["bin", "work", "results"].map(|name| place.path().join(name));
    for made in [&programs, &folder, &results] {
        fs::create_dir(made).expect("a folder");
    }
    symlink(env!("CARGO_BIN_EXE_vreader"), programs.join("vreader")).expect("a link");
    fs::write(place.path().join("script"), script(&steps, &results)).expect("a script");
    let path = format!("{}:{}", programs.display(), env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("timeout");
    shell.args([PATIENCE, "bash", "../script"]).current_dir(&folder).stdin(Stdio::null());
    shell.env("PATH", path).env("LC_ALL", "C").env("HOME", place.path());
    shell.env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
    for variable in ["PCSCLITE_CSOCK_NAME", "VREADER_CMS", "VREADER_LOG", "XDG_STATE_HOME"] {
        shell.env_remove(variable);
    }
    shell.status().expect("timeout and bash are there");
    for (number, step) in steps.iter().enumerate() {
        let read = |what: &str| fs::read_to_string(results.join(format!("{number}.{what}")));
        let printed = read("printed").unwrap_or_default();
        let status = read("status").unwrap_or_else(|_| "none: the shell ended before".to_owned());
        step.judge(&printed, status.trim()).map_err(|why| format!("{}:{}", page.display(), why))?;
    }
    Ok(steps.len())
}

/// All commands of a page, each with its output and its exit status into files.
fn script(steps: &[Step], results: &Path) -> String {
    let mut script = String::new();
    for (number, Step { command, .. }) in steps.iter().enumerate() {
        let result = results.join(number.to_string());
        let result = result.display();
        // In braces and not in a subshell: what is exported stays.
        script.push_str("{ ");
        script.push_str(command);
        // Writing to a string cannot fail.
        let _ = writeln!(script, "\n}} > {result}.printed 2>&1 < /dev/null\necho $? > {result}.status");
    }
    script
}

impl Step {
    /// Whether it came to what the page shows.
    fn judge(&self, printed: &str, status: &str) -> Result<(), String> {
        let refused = self.prints.iter().any(|line| line.starts_with("vreader: "));
        let may_be = status == "0" || (refused && status == "1");
        if may_be && fit(&self.prints, &printed.lines().collect::<Vec<_>>()) {
            return Ok(());
        }
        let Self { line, command, prints } = self;
        let shown = prints.join("\n");
        Err(format!(
            "{line}: $ {command}\nshould print\n{shown}\nand printed, with exit status {status}\n{printed}"
        ))
    }
}

/// The pages that have commands.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder of the pages") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md")
            && !steps(&fs::read_to_string(&path).expect("a page")).is_empty()
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn every_page_does_what_it_says() {
    let certutil =
        Command::new("certutil").arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status();
    certutil.expect("certutil, which pages use, is not installed: run tools/install-clients");
    let pages = pages(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs"));
    for flow in ["issue", "lock", "unlock", "renew", "activate", "replace"] {
        let end = format!("flows/{flow}.md");
        assert!(pages.iter().any(|page| page.ends_with(&end)), "docs/{end} is missing, or shows no command");
    }
    let results: Vec<_> = thread::scope(|scope| {
        let runs: Vec<_> = pages.iter().map(|page| scope.spawn(|| run(page))).collect();
        runs.into_iter().map(|run| run.join().expect("a page is run")).collect()
    });
    let wrong: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn blocks_are_read() {
    let page = "$ no\n```console\n$ one\nprinted\n$ two \\\n  words\n```\n```sh\n$ no\n```\n";
    let step = |line, command: &str, prints: &[&str]| Step {
        line,
        command: command.to_owned(),
        prints: prints.iter().map(|line| (*line).to_owned()).collect(),
    };
    assert_eq!(steps(page), [step(3, "one", &["printed"]), step(5, "two \\\n  words", &[])]);
}

#[test]
fn dots_stand_for_anything_and_nothing_else_does() {
    let shown = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    assert!(fit(&shown(&["one ... three", "..."]), &["one two three", "a", "b"]));
    assert!(fit(&shown(&["...", "end"]), &["end"]));
    assert!(fit(&shown(&["serial ...", "é..."]), &["serial ", "éé"]));
    for (lines, printed) in [
        (&["one"][..], &["one", "two"][..]),
        (&["one", "two"], &["one"]),
        (&["...", "end"], &["end", "more"]),
        (&["one ... three"], &["one two four"]),
        (&[], &["one"]),
    ] {
        assert!(!fit(&shown(lines), printed), "{lines:?}");
    }
}

#[test]
fn a_page_that_lies_is_found() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lies = |name: &str, block: &str| {
        let page = folder.path().join(name);
        fs::write(&page, format!("# A page\n\n```console\n{block}\n```\n")).expect("a page");
        run(&page)
    };
    assert_eq!(lies("a.md", "$ export A=1; cd /\n$ echo $A\n1\n$ pwd\n/"), Ok(3));
    assert_eq!(lies("b.md", "$ vreader card show none.card\nvreader: ..."), Ok(1));
    let error = lies("c.md", "$ true\n$ echo two\none").expect_err("a lie");
    assert!(
        error.contains("c.md:5: $ echo two\nshould print\none\nand printed, with exit status 0\ntwo"),
        "{error}"
    );
    let error = lies("d.md", "$ false").expect_err("a failure");
    assert!(error.contains("with exit status 1"), "{error}");
    assert!(lies("e.md", "$ exit 3").is_err());
}
