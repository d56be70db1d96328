//! What is printed, and how it ends.

use crate::support::Rig;

#[tokio::test]
async fn where_everything_is_right_nothing_fails_and_the_name_is_told() {
    let rig = Rig::new().await;
    let checked = rig.check_with(&rig.token(rig.project.ada)).await;
    checked.fails(&[]);
    assert_eq!(checked.with("warning"), [""; 0]);
    assert_eq!(checked.with("skipped"), ["issuer-clock"]); // the key server has no clock
    assert_eq!(checked.said("name").0, "GetName returns \"Ada\"");
    assert!(checked.said("token").0.contains(&rig.project.ada.to_string()));
}

#[tokio::test]
async fn people_read_a_line_for_each_thing_and_below_it_how_to_mend_it() {
    let rig = Rig::new().await;
    rig.project.run("alter table public.users disable row level security").await;
    let ran = rig.run(&[], None).await;
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert!(lines.contains(&"ok   users:          public.users is there"), "{}", ran.stdout);
    let at = lines.iter().position(|line| line.starts_with("FAIL row-security:   off")).unwrap();
    let hint = "                     hint: alter table public.users enable row level security;";
    assert!(lines[at + 1].starts_with(hint), "{}", ran.stdout);
    assert_eq!(lines.last(), Some(&"1 thing is wrong"));
    assert!(!ran.stdout.contains('\x1b'), "colour is for terminals");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""));
}

#[tokio::test]
async fn a_name_from_the_database_cannot_command_the_terminal() {
    let rig = Rig::new().await;
    rig.project.run("update public.users set full_name = E'\\x1b[2J\\nok   all: well'").await;
    let ran = rig.run(&["--token", "-"], Some(&rig.token(rig.project.ada))).await;
    assert!(
        ran.stdout.contains("GetName returns \"\u{fffd}[2J\u{fffd}ok   all: well\""),
        "{}",
        ran.stdout
    );
}

#[tokio::test]
async fn wrong_settings_and_arguments_are_another_end() {
    let rig =
        Rig::new().await.set("REQUEST_TIMEOUT", "soon").set("MIGRATE_DATABASE_URL", "mysql://");
    let ran = rig.run(&["--json"], None).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    for setting in ["REQUEST_TIMEOUT", "MIGRATE_DATABASE_URL"] {
        assert!(ran.stderr.contains(setting), "{}", ran.stderr);
    }

    let rig = Rig::new().await.set("SUPABASE_URL", "http://project.example");
    let ran = rig.run(&[], None).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.contains("https"), "{}", ran.stderr);

    let ran = rig.run(&["--everything"], None).await;
    assert_eq!(ran.code, Some(2));
}

#[tokio::test]
async fn a_token_on_the_command_line_is_refused_and_not_repeated() {
    let rig = Rig::new().await;
    let token = rig.token(rig.project.ada);
    let ran = rig.run(&["--token", &token], Some(&token)).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.contains("check --token -"), "{}", ran.stderr);
}

#[tokio::test]
async fn the_help_teaches() {
    let rig = Rig::new().await;
    let ran = rig.run(&["--help"], None).await;
    assert_eq!(ran.code, Some(0));
    for told in ["--token -", "--json", "FAIL", "Exit codes: 0", "jq"] {
        assert!(ran.stdout.contains(told), "{told} in:\n{}", ran.stdout);
    }
}
