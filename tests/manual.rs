//! "Public items" of CONTRIBUTING.md as a check: it reads the documentation in `src` and finds what has no example, and
//! what can fail and does not say how.

mod project;

/// A public function, type or trait, or a method of a public trait.
struct Item {
    file: String,
    documentation: String,
    /// In one line, without the body.
    declaration: String,
}

impl Item {
    fn name(&self) -> &str {
        let mut words = self.declaration.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.find(|word| ["fn", "struct", "enum", "trait"].contains(word)).expect("a kind");
        words.next().expect("a name")
    }

    fn can_fail(&self) -> bool {
        let signature = self.declaration.split(" where ").next().unwrap_or_default();
        signature.rsplit_once(") -> ").is_some_and(|(_, returns)| returns.contains("Result<"))
    }
}

fn is_public(line: &str, in_trait: bool) -> bool {
    ["pub fn ", "pub const fn ", "pub struct ", "pub enum ", "pub trait "].iter().any(|start| line.starts_with(start))
        || (in_trait && line.starts_with("fn "))
}

/// What a file shows to its readers; the tests at its end left out.
fn items(file: &str, text: &str) -> Vec<Item> {
    let (mut items, mut documentation, mut in_trait) = (Vec::new(), String::new(), false);
    let mut lines = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]"));
    while let Some(line) = lines.next() {
        let code = line.trim_start();
        if let Some(text) = code.strip_prefix("///") {
            documentation.push_str(text.trim_start());
            documentation.push('\n');
        } else if !code.starts_with("#[") {
            in_trait = line.starts_with("pub trait ") || (in_trait && line != "}");
            if is_public(code, in_trait) {
                let mut declaration = code.to_owned();
                while !declaration.contains(['{', ';']) {
                    declaration.push(' ');
                    declaration.push_str(lines.next().expect("the rest of a declaration").trim());
                }
                items.push(Item { file: file.to_owned(), documentation: documentation.clone(), declaration });
            }
            documentation.clear();
        }
    }
    items
}

fn all_items() -> Vec<Item> {
    let files = project::files("src", "rs");
    let mut all: Vec<Item> = files.iter().flat_map(|(file, text)| items(file, text)).collect();
    // Nobody outside can name the trait that seals another, or see what is there for the fuzz targets.
    all.retain(|item| item.name() != "Sealed");
    all
}

/// Nothing, or a line for each item that lacks something.
fn missing(what: &str, lacks: impl Fn(&Item) -> bool) -> String {
    let lacking = all_items().into_iter().filter(lacks);
    lacking.map(|item| format!("src/{}: `{}` has no {what}\n", item.file, item.name())).collect()
}

#[test]
fn every_public_item_has_an_example_of_its_own() {
    let lacking = missing("example", |item| !item.documentation.contains("```"));
    assert!(lacking.is_empty(), "{lacking}");
}

#[test]
fn whatever_can_fail_names_its_errors() {
    let lacking = missing("section `# Errors` that names them", |item| {
        let errors = item.documentation.split_once("# Errors\n").and_then(|(_, rest)| rest.split("\n#").next());
        item.can_fail() && !errors.is_some_and(|errors| errors.contains("Error"))
    });
    assert!(lacking.is_empty(), "{lacking}");
}

#[test]
fn the_check_has_something_to_look_at() {
    let items = all_items();
    let fallible = items.iter().filter(|item| item.can_fail()).count();
    assert!(items.len() > 120 && fallible > 15, "{} items, {fallible} of them fallible", items.len());
}

/// A registry page has no files beside it, so a relative link leads nowhere there.
#[test]
fn every_link_of_the_readme_is_absolute_and_leads_to_a_page_that_exists() {
    const DOCS: &str = "https://docs.rs/client-credentials/latest/client_credentials/guide/";
    let readme = include_str!("../README.md");
    let pages = include_str!("../src/guide.rs");
    let links: Vec<_> = readme.split("](").skip(1).map(|rest| rest.split_once(')').expect("its end").0).collect();
    assert!(links.len() > 8);
    for link in links {
        assert!(link.starts_with("https://"), "{link}");
        if let Some(page) = link.strip_prefix(DOCS).filter(|page| !page.is_empty()) {
            let module = format!("pub mod {} {{}}", page.trim_end_matches('/'));
            assert!(pages.contains(&module), "{link}");
        }
    }
}
