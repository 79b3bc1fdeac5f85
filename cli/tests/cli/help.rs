//! The whole help text, so that no command or flag changes unseen.

use std::fmt::Write as _;

#[test]
fn help_of_every_command() {
    // Wide enough that the text does not depend on the terminal of the test.
    let mut command = sproutctl::command().term_width(100);
    command.build();
    let mut text = String::new();
    collect(&mut command, &mut text);
    insta::assert_snapshot!("help", text);
}

fn collect(command: &mut clap::Command, text: &mut String) {
    let help = command.clone().render_help().to_string();
    let help: Vec<_> = help.lines().map(str::trim_end).collect();
    // Each command repeats the global options; once is enough.
    let own = help.iter().take_while(|line| text.is_empty() || **line != "Global options:");
    let _ = writeln!(text, "{}\n", own.copied().collect::<Vec<_>>().join("\n").trim_end());
    for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
        let _ = writeln!(text, "=== {}", sub.get_bin_name().unwrap_or_default());
        collect(sub, text);
    }
}
