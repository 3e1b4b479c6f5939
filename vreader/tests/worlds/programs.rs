//! Programs under `vreader run`: what they get, how they end, what remains; and everything that keeps one from starting.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use vreader::image::CardLock;

use crate::vreader::{Place, require, send, text, wait_for};

/// A shell script in a world without cards. Signals do what they do by default: a shell that starts the tests in the
/// background has them ignore INT and QUIT.
fn shell(place: &Place, script: &str) -> Command {
    let mut command = Command::new("env");
    place.set_up(&mut command);
    let words =
        ["--default-signal", env!("CARGO_BIN_EXE_vreader"), "run", "--empty", "--", "sh", "-c", script];
    command.args(words);
    command
}

/// Starts a script that says when it is ready, and waits for that.
fn ready(command: &mut Command) -> Child {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("vreader starts");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n");
    child
}

#[test]
fn the_exit_status_is_that_of_the_program() {
    let place = Place::new();
    for (script, status) in [
        ("true", 0),
        ("exit 1", 1),
        ("exit 7", 7),
        ("exit 255", 255),
        ("kill -KILL $$", 137),
        ("kill -SEGV $$", 139),
    ] {
        let output = shell(&place, script).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{script}: {}", text(&output));
        assert_eq!(text(&output), "", "{script}");
        place.is_clean();
    }
}

#[test]
fn the_program_has_a_socket_for_its_user_alone() {
    let place = Place::new();
    let said = text(
        &shell(
            &place,
            r#"test -S "$PCSCLITE_CSOCK_NAME" && stat -c %a "$(dirname "$PCSCLITE_CSOCK_NAME")" "$PCSCLITE_CSOCK_NAME""#,
        )
        .output()
        .unwrap(),
    );
    assert_eq!(said, "700\n600\n");
    // Whatever the umask.
    let mut odd = Command::new("sh");
    place.set_up(&mut odd);
    let script = format!(
        r#"umask 0777; {} run --empty -- sh -c 'stat -c %a "$(dirname "$PCSCLITE_CSOCK_NAME")"'"#,
        env!("CARGO_BIN_EXE_vreader")
    );
    assert_eq!(text(&odd.args(["-c", &script]).output().unwrap()), "700\n");
    place.is_clean();
}

#[test]
fn standard_streams_pass_through() {
    let place = Place::new();
    let mut child = place
        .vreader(&["run", "--empty", "--", "sh", "-c", "cat; echo aside >&2"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let sent: Vec<u8> = (0..=255).cycle().take(200_000).collect();
    let mut input = child.stdin.take().unwrap();
    let expected = sent.clone();
    let writer = std::thread::spawn(move || input.write_all(&sent).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.stdout == expected);
    assert_eq!(output.stderr, b"aside\n");
}

#[test]
fn arguments_reach_the_program_with_and_without_dashes() {
    let place = Place::new();
    for words in [
        &["run", "--empty", "--", "echo", "-n", "--card", "x", "--", "--help"][..],
        &["run", "--empty", "echo", "-n", "--card", "x", "--", "--help"],
    ] {
        assert_eq!(place.done(words), "--card x -- --help");
    }
}

#[test]
fn a_program_that_cannot_run_is_one_sentence_and_status_2() {
    let place = Place::new();
    let said = place.fails(2, &mut place.vreader(&["run", "--empty", "--", "no-such-program"]));
    assert!(said.contains("no program no-such-program"), "{said}");
    fs::write(place.file("plain"), "text").unwrap();
    let said = place.fails(2, &mut place.vreader(&["run", "--empty", "--", "./plain"]));
    assert!(said.contains("cannot run ./plain"), "{said}");
    let said = place.vreader(&["run", "--empty"]).output().unwrap();
    assert_eq!(said.status.code(), Some(2));
    assert!(text(&said).contains("PROGRAM"), "{}", text(&said));
}

#[test]
fn a_card_file_that_cannot_be_used_is_one_sentence_and_status_2() {
    let place = Place::new();
    let run = |card: &str| place.vreader(&["run", "--card", card, "--", "true"]);
    let said = place.fails(2, &mut run("missing.card"));
    assert!(said.contains("vreader card new missing.card"), "{said}");
    fs::write(place.file("foreign"), "hello").unwrap();
    assert!(place.fails(2, &mut run("foreign")).contains("not a card file"));
    place.done(&["card", "new", "my.card", "--seed", "1"]);
    let lock = CardLock::acquire(&place.file("my.card")).unwrap();
    let said = place.fails(2, &mut run("my.card"));
    assert!(said.contains("in use by process") && said.contains("stop that program"), "{said}");
    drop(lock);
    assert!(run("my.card").status().unwrap().success());
    assert!(!place.file("my.card.lock").exists());
}

#[test]
fn a_socket_that_cannot_be_made_is_one_sentence_and_status_2() {
    let place = Place::new();
    let long = place.file(&"x".repeat(100));
    fs::create_dir(&long).unwrap();
    let mut command = place.vreader(&["run", "--empty", "--", "true"]);
    let said = place.fails(2, command.env("XDG_RUNTIME_DIR", &long));
    assert!(said.contains("107 at most") && said.contains("XDG_RUNTIME_DIR"), "{said}");
    assert_eq!(fs::read_dir(&long).unwrap().count(), 0);
    // Nobody, not even root, makes a folder there.
    let said = place.fails(2, command.env("XDG_RUNTIME_DIR", "/proc"));
    assert!(said.contains("/proc") && said.contains("folder that you may write to"), "{said}");
    // A variable that names no folder is as good as none.
    let output = command.env("XDG_RUNTIME_DIR", place.file("none")).env("TMPDIR", place.runtime()).output();
    assert!(output.unwrap().status.success());
    place.is_clean();
}

#[test]
fn the_socket_goes_with_the_program_however_that_ends() {
    let place = Place::new();
    // The program handles the signal, and its own status comes back.
    let mut child = ready(&mut shell(&place, "trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done"));
    assert_eq!(place.worlds().len(), 1);
    send("TERM", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(5));
    place.is_clean();
    for (signal, status) in
        [("TERM", 143), ("HUP", 129), ("USR1", 138), ("USR2", 140), ("QUIT", 131), ("INT", 130)]
    {
        let mut child = ready(&mut shell(&place, "ulimit -c 0; echo ready; exec sleep 60"));
        send(signal, child.id());
        assert_eq!(child.wait().unwrap().code(), Some(status), "{signal}");
        place.is_clean();
    }
    // The program is killed.
    let mut child = ready(&mut shell(&place, "echo ready; exec sleep 60"));
    let program = wait_for("the program runs", || {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap();
        children.trim().parse().ok()
    });
    send("KILL", program);
    assert_eq!(child.wait().unwrap().code(), Some(137));
    place.is_clean();
}

#[test]
fn a_killed_vreader_leaves_a_folder_that_the_next_one_removes() {
    let place = Place::new();
    // The program ends when nobody holds its input any more.
    let mut child = ready(shell(&place, "echo ready; exec cat").stdin(Stdio::piped()));
    send("KILL", child.id());
    child.wait().unwrap();
    assert_eq!(place.worlds().len(), 1);
    assert!(place.done(&["run", "--empty", "--", "true"]).is_empty());
}

#[test]
fn signals_that_were_ignored_stay_ignored() {
    let place = Place::new();
    let mut command = Command::new("sh");
    place.set_up(&mut command);
    let script = format!(
        "trap '' HUP; exec {} run --empty -- sh -c 'kill -HUP $$; kill -HUP $PPID; echo alive'",
        env!("CARGO_BIN_EXE_vreader")
    );
    assert_eq!(text(&command.args(["-c", &script]).output().unwrap()), "alive\n");
}

#[test]
fn worlds_do_not_see_each_other() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let place = &place;
            scope.spawn(move || {
                let name = format!("World {number}");
                let words =
                    ["run", "--empty", "--reader", &name, "--", env!("CARGO_BIN_EXE_vreader"), "ctl", "list"];
                let output = place.vreader(&words).output().unwrap();
                assert_eq!(text(&output), format!("0  {name} 00 00: empty\n"));
            });
        }
    });
    place.is_clean();
}

#[test]
fn readers_are_those_of_the_command_line() {
    let place = Place::new();
    let ctl = env!("CARGO_BIN_EXE_vreader");
    let list = |options: &[&str]| place.done(&[&["run"], options, &["--", ctl, "ctl", "list"]].concat());
    assert_eq!(list(&[]), "0  vreader 00 00: card\n");
    assert_eq!(list(&["--empty"]), "0  vreader 00 00: empty\n");
    assert_eq!(
        list(&["--card", "piv", "--card", "piv", "--empty", "--reader", "Desk", "--reader", "Door"]),
        "0  Desk 00 00: card\n1  Door 01 00: card\n2  Door 02 00: empty\n"
    );
    let too_many = ["run", "--slots", "16"].into_iter().chain(["--empty"; 17]).chain(["--", "true"]);
    let said = place.fails(2, &mut place.vreader(&too_many.collect::<Vec<_>>()));
    assert!(said.contains("16 readers"), "{said}");
    let bad_name = "x".repeat(122);
    place.fails(2, &mut place.vreader(&["run", "--reader", &bad_name, "--empty", "--", "true"]));
}

fn is_root() -> bool {
    text(&Command::new("id").arg("-u").output().unwrap()) == "0\n"
}

#[test]
fn other_users_are_turned_away_even_where_permissions_let_them_in() {
    let place = Place::new();
    let serving = place.serve(&["--empty"]);
    let folder = serving.socket.parent().unwrap();
    for (path, mode) in [
        (place.runtime(), 0o755),
        (place.file("").as_path(), 0o755),
        (folder, 0o755),
        (&serving.socket, 0o666),
        (&folder.join("control"), 0o666),
    ] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::copy(env!("CARGO_BIN_EXE_vreader"), place.file("vreader")).unwrap();
    let program = place.file("vreader");
    let mut words = vec![];
    // Another user: root becomes nobody. Who is not root can only show that he himself is let in.
    if is_root() {
        words.extend(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]);
    }
    words.extend([program.to_str().unwrap(), "ctl", "list", "--socket", serving.socket.to_str().unwrap()]);
    let mut command = Command::new(words[0]);
    place.set_up(&mut command);
    let output = command.args(&words[1..]).output().unwrap();
    if is_root() {
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains("another user's"), "{}", text(&output));
    } else {
        assert!(output.status.success(), "{}", text(&output));
    }
}

/// Runs a script with `--bind`, as another user if this one is root.
fn bound(place: &Place, user: Option<&str>, script: &str) -> String {
    let mut words = vec![];
    if let Some(user) = user {
        words.extend(["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--"]);
        fs::set_permissions(place.runtime(), fs::Permissions::from_mode(0o777)).unwrap();
        fs::set_permissions(place.file(""), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let program = place.file("vreader");
    if !program.exists() {
        fs::copy(env!("CARGO_BIN_EXE_vreader"), &program).unwrap();
    }
    words.extend([program.to_str().unwrap(), "run", "--empty", "--bind", "--", "sh", "-c", script]);
    let mut command = Command::new(words[0]);
    place.set_up(&mut command);
    let output = command.args(&words[1..]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    place.is_clean();
    text(&output)
}

#[test]
fn bind_puts_the_readers_where_programs_look_that_take_no_directions() {
    require("unshare");
    let place = Place::new();
    let there_before = Path::new("/run/pcscd").exists();
    let run_before = fs::read_dir("/run").unwrap().count();
    let users: &[Option<&str>] = if is_root() { &[None, Some("65534")] } else { &[None] };
    for user in users {
        let said = bound(
            &place,
            *user,
            "env -u PCSCLITE_CSOCK_NAME opensc-tool --list-readers; ls /run | grep -vx pcscd | wc -l; id -u; \
             grep CapEff /proc/self/status",
        );
        assert!(said.contains("vreader 00 00"), "{said}");
        let lines: Vec<_> = said.lines().collect();
        let rest = &lines[lines.len() - 3..];
        let others = run_before - usize::from(there_before);
        assert_eq!(rest[0].trim(), others.to_string(), "everything else in /run is still there: {said}");
        if let Some(user) = user {
            assert_eq!(rest[1], *user, "{said}");
            assert!(rest[2].ends_with("\t0000000000000000"), "the program can make no mounts: {said}");
        }
    }
    assert_eq!(Path::new("/run/pcscd").exists(), there_before);
}

#[test]
fn bind_passes_status_and_complaints_through() {
    let place = Place::new();
    let bind = |words: &[&str]| place.vreader(&[&["run", "--empty", "--bind", "--"], words].concat());
    assert_eq!(bind(&["sh", "-c", "exit 7"]).status().unwrap().code(), Some(7));
    let said = place.fails(2, &mut bind(&["no-such-program"]));
    assert!(said.contains("no program no-such-program"), "{said}");
    // No `unshare` on the search path.
    let said = place.fails(2, bind(&["true"]).env("PATH", place.file("")));
    assert!(said.contains("install util-linux"), "{said}");
    // An `unshare` that may not.
    fs::write(place.file("unshare"), "#!/bin/sh\necho unshare: not permitted >&2\nexit 1\n").unwrap();
    fs::set_permissions(place.file("unshare"), fs::Permissions::from_mode(0o755)).unwrap();
    let said = place.fails(2, bind(&["true"]).env("PATH", place.file("")));
    assert!(said.contains("unshare: not permitted") && said.contains("sysctl"), "{said}");
}

#[test]
fn new_cards_are_kept_in_the_cache_folder_for_their_user_alone() {
    let place = Place::new();
    let cache = place.file("cache");
    let mut command = place.vreader(&["run", "--card", "piv", "--card", "piv", "--", "true"]);
    assert!(command.env("XDG_CACHE_HOME", &cache).status().unwrap().success());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = cache.join("vreader");
    assert_eq!((mode(&folder), mode(&folder.join("piv-0.card"))), (0o700, 0o600));
    let cards = ["piv-0.card", "piv-1.card"].map(|name| fs::read(folder.join(name)).unwrap());
    assert!(cards[0] != cards[1]);
    assert!(command.status().unwrap().success());
    assert!(["piv-0.card", "piv-1.card"].map(|name| fs::read(folder.join(name)).unwrap()) == cards);
    // A seed gives the same card whether it was kept or not, and with another seed another card.
    let guid = |seed: &str| {
        let read =
            ["run", "--seed", seed, "--", "pkcs15-tool", "--read-data-object", "2.16.840.1.101.3.7.2.48.0"];
        let output = place.vreader(&read).env("XDG_CACHE_HOME", &cache).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        output.stdout
    };
    require("pkcs15-tool");
    let seven = guid("7");
    assert!(guid("7") == seven && guid("8") != seven && guid("7") == seven);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
}

#[test]
fn an_idle_world_does_nothing() {
    let place = Place::new();
    let serving = place.serve(&[]);
    let mut client = crate::raw::Raw::new(&serving.socket, 4);
    client.establish();
    client.send(0x13, &[]);
    client.receive(16 * 184);
    let switches = || {
        let mut all = Vec::new();
        for task in fs::read_dir(format!("/proc/{}/task", serving.child.id())).unwrap() {
            let mut status = String::new();
            let mut file = fs::File::open(task.unwrap().path().join("status")).unwrap();
            file.read_to_string(&mut status).unwrap();
            all.extend(status.lines().filter(|line| line.contains("ctxt_switches")).map(str::to_owned));
        }
        all.sort();
        all
    };
    // The last power-off of a new world, and the first page faults, are over by then.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let before = switches();
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(switches(), before);
}
