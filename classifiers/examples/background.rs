//! Measures the gate's background table: `background OUT FILE:KEY...`, each FILE one source of JSON lines with the text under
//! KEY. How the shipped table was made stands in `classifiers/weights/README.md`.

use std::error::Error;
use std::fs;

use router_classifiers::learned::gate::background;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().ok_or("usage: background OUT FILE:KEY...")?;
    let mut sources = Vec::new();
    for argument in arguments {
        let (file, key) = argument.rsplit_once(':').ok_or("each source is FILE:KEY")?;
        let texts = texts(file, key)?;
        println!("{file}: {} texts", texts.len());
        sources.push(texts);
    }
    fs::write(out, background::measure(&sources))?;
    Ok(())
}

fn texts(file: &str, key: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let mut texts = Vec::new();
    for line in fs::read_to_string(file)?.lines() {
        let row: serde_json::Value = serde_json::from_str(line)?;
        texts.push(row[key].as_str().ok_or_else(|| format!("{file}: no {key}"))?.to_owned());
    }
    Ok(texts)
}
