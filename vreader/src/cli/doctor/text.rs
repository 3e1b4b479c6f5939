//! The findings for people: what is there, then what is not, what that costs, and the command that mends it.

use std::collections::BTreeSet;

use super::{Finding, State, packages::System, table::Group};

const GROUPS: [(Group, &str); 6] = [
    (Group::Build, "This build"),
    (Group::Worlds, "Private worlds: vreader run, vreader serve"),
    (Group::Libraries, "PC/SC libraries"),
    (Group::Clients, "Programs that use cards"),
    (Group::Modules, "Modules for programs that use cards"),
    (Group::Pcscd, "The system's pcscd: for vreader vpcd only"),
];

pub(super) fn report(findings: &[Finding], system: &System) -> String {
    let width = findings.iter().map(|finding| finding.what.len()).max().unwrap_or_default();
    let groups = GROUPS.iter().map(|(group, title)| {
        let of_group = findings.iter().filter(|finding| finding.group == *group);
        format!("{title}\n{}\n", of_group.map(|finding| lines(finding, width)).collect::<String>())
    });
    format!("{}\n\n{}{}", system.name, groups.collect::<String>(), summary(findings, system))
}

fn lines(finding: &Finding, width: usize) -> String {
    let Finding { what, found, .. } = finding;
    let mark = if finding.state == State::Ok { "yes" } else { "no " };
    let path = finding.path.as_deref().map(|path| path.display().to_string());
    let path = path.filter(|path| !found.contains(path)).map(|path| format!("  {path}")).unwrap_or_default();
    let below = |word: &str, text: &str| format!("      {:width$}  {word} {text}\n", "");
    let costs = finding.costs.map(|costs| below("costs:", costs)).unwrap_or_default();
    let install = finding.install.as_deref().map(|install| below("mend: ", install)).unwrap_or_default();
    format!("  {mark} {what:width$}  {found}{path}\n{costs}{install}")
}

fn summary(findings: &[Finding], system: &System) -> String {
    let works = findings.iter().all(|finding| !finding.required || finding.state == State::Ok);
    let verdict = if works { "vreader run works here." } else { "vreader run does not work here." };
    let wanting = findings.iter().filter(|finding| finding.state != State::Ok).count();
    let packages: BTreeSet<_> = findings.iter().filter_map(|finding| finding.package).collect();
    let all = system.install(&packages.into_iter().collect::<Vec<_>>().join(" "));
    match (wanting, all.filter(|command| !command.ends_with(' '))) {
        (0, _) => format!("{verdict} Nothing is missing.\n"),
        (1, _) => format!("{verdict} One thing is missing, see above.\n"),
        (more, None) => format!("{verdict} {more} things are missing, see above.\n"),
        (more, Some(command)) => {
            format!("{verdict} {more} things are missing, see above. All packages at once:\n  {command}\n")
        }
    }
}
