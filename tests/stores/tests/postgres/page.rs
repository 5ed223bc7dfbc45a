//! The page has the texts of the files that are tested here, because the root crate does not depend
//! on a client of PostgreSQL.

use crate::cluster::LIMITS;

const PAGE: &str = include_str!("../../../../docs/recipes/own-store.md");

#[test]
fn the_page_has_the_program_and_the_statements_that_are_tested_here() {
    let page = PAGE.replace("\r\n", "\n");
    for (language, file) in [
        ("rust,ignore", include_str!("../../src/postgres.rs")),
        ("sql", include_str!("../../src/table.sql")),
        ("sql", include_str!("../../src/clean.sql")),
    ] {
        let file = file.replace("\r\n", "\n");
        assert!(page.contains(&format!("```{language}\n{file}```")), "not on the page:\n{file}");
    }
    assert!(page.contains(&format!(" {LIMITS}\n")), "{LIMITS}");
    // Nothing else on the page goes untested.
    assert_eq!(page.matches("```rust,ignore\n").count(), 1);
    assert_eq!(page.matches("```sql\n").count(), 2);
}

/// So that a program which follows the page compiles what is tested.
#[test]
fn the_page_names_the_dependencies_of_this_package() {
    let manifest = include_str!("../../Cargo.toml").replace("\r\n", "\n");
    for line in manifest.lines().filter(|line| line.starts_with("postgres")) {
        assert!(PAGE.contains(line), "{line}");
    }
}
