//! The pages of the guide as a check: contents lists, headings and links.

mod project;

use std::collections::BTreeMap;

use project::{files, read};

/// A longer heading is cut in rustdoc's sidebar.
const LONGEST_HEADING: usize = 24;

/// The pages by the names of their modules in `src/guide.rs`.
fn pages() -> BTreeMap<String, String> {
    let guide = read("src/guide.rs");
    let mut pages: BTreeMap<String, String> = BTreeMap::new();
    let mut page = String::new();
    for line in guide.lines() {
        if let Some(file) = line.split("include_str!(\"../").nth(1).and_then(|rest| rest.split('"').next()) {
            page.push_str(&read(file));
        } else if let Some(name) = line.strip_prefix("pub mod ").and_then(|rest| rest.split(' ').next()) {
            pages.insert(name.to_owned(), std::mem::take(&mut page));
        }
    }
    assert!(pages.len() > 15, "{:?}", pages.keys());
    pages
}

/// The lines of a page that are not code.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    page.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    })
}

/// Level, text and anchor of each heading, as rustdoc makes them.
fn headings(page: &str) -> Vec<(usize, &str, String)> {
    let headings = prose(page).filter_map(|line| {
        let text = line.trim_start_matches('#');
        let level = line.len() - text.len();
        (level > 0 && text.starts_with(' ')).then(|| (level, text.trim(), anchor(text.trim())))
    });
    headings.collect()
}

fn anchor(heading: &str) -> String {
    let kept = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
        _ => None,
    };
    heading.chars().filter_map(kept).collect()
}

/// Text and target of each link in a text, of the forms `[text](target)` and `[text]: target`.
fn links(text: &str) -> Vec<(&str, &str)> {
    let mut links = Vec::new();
    for (at, _) in text.match_indices(']') {
        let name = text[..at].rsplit('[').next().unwrap_or_default();
        let rest = &text[at + 1..];
        if let Some(target) = rest.strip_prefix('(').and_then(|rest| rest.split(')').next()) {
            links.push((name, target));
        } else if let Some(target) = rest.strip_prefix(": ").and_then(|rest| rest.split_whitespace().next()) {
            links.push((name, target));
        }
    }
    links
}

#[test]
fn a_contents_list_has_the_headings_of_its_page_in_their_order() {
    for name in ["how_do_i", "errors"] {
        let page = &pages()[name];
        let headings = headings(page);
        let (contents, _) = page[2..].split_once("\n# ").expect("a heading after the contents list");
        let listed: Vec<_> = links(contents).into_iter().filter(|(_, target)| target.starts_with('#')).collect();
        let expected: Vec<_> = headings[1..].iter().map(|(_, text, anchor)| (*text, format!("#{anchor}"))).collect();
        let expected: Vec<_> = expected.iter().map(|(text, anchor)| (*text, anchor.as_str())).collect();
        assert_eq!(listed, expected, "{name}");
    }
}

#[test]
fn headings_fit_into_the_sidebar_and_have_anchors_of_their_own() {
    for name in ["how_do_i", "errors", "stores"] {
        let page = &pages()[name];
        let mut anchors = Vec::new();
        for (_, text, anchor) in headings(page) {
            assert!(text.len() <= LONGEST_HEADING, "{name}: {text}");
            assert!(!anchors.contains(&anchor), "{name}: {text}");
            anchors.push(anchor);
        }
    }
}

/// Hidden lines, imports and blank lines do not count. A whole file of another package, marked with
/// `rust,ignore`, is no such program.
#[test]
fn a_program_of_a_recipe_has_at_most_twelve_lines() {
    let mut checked = 0;
    for (file, page) in files("docs/recipes", "md") {
        for block in page.split("```rust").skip(1).filter(|block| !block.starts_with(",ignore")) {
            let (_, block) = block.split_once('\n').expect("a first line");
            let program = block.split_once("\n```").expect("an end").0.lines().map(str::trim);
            let is_code = |line: &&str| !(line.is_empty() || line.starts_with("use ") || line.starts_with("# "));
            let lines = program.filter(|line| is_code(line) && *line != "#").count();
            assert!(lines <= 12, "{file}: {lines} lines of {block}");
            checked += 1;
        }
    }
    assert!(checked > 20, "the check must have something to look at: {checked}");
}

/// rustdoc does not check what is behind the `#` of a link.
#[test]
fn each_link_to_a_heading_of_the_guide_leads_to_one() {
    let pages = pages();
    let leads = |page: &str, fragment: &str| {
        let text = pages.get(page).unwrap_or_else(|| panic!("no page {page}"));
        headings(text).iter().any(|(_, _, anchor)| anchor == fragment) || text.contains(&format!("id=\"{fragment}\""))
    };
    let mut checked = 0;
    for (name, page) in &pages {
        for (_, target) in links(page) {
            if let Some(fragment) = target.strip_prefix('#') {
                assert!(leads(name, fragment), "{name}: {target}");
                checked += 1;
            }
        }
    }
    let mut texts: Vec<_> = pages.iter().map(|(name, page)| (name.clone(), page.clone())).collect();
    texts.extend(files("src", "rs"));
    for (from, text) in &texts {
        for (_, target) in links(text).into_iter().filter(|(_, target)| !target.starts_with("http")) {
            let path = target.strip_prefix("crate::guide::").or_else(|| target.strip_prefix("guide::"));
            let path = path.or_else(|| from.ends_with("guide.rs").then_some(target));
            if let Some((page, fragment)) =
                path.and_then(|path| path.split_once('#')).filter(|(page, _)| !page.is_empty())
            {
                assert!(leads(page, fragment), "{from}: {target}");
                checked += 1;
            }
        }
    }
    assert!(checked > 60, "the check must have something to look at: {checked}");
}
