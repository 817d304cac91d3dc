// SPDX-License-Identifier: GPL-2.0

//! The targets run the inputs of the corpus: those that reach what others do not, and those that once
//! found something.

use std::{
    fs,
    path::Path, //
};

use gpio_virtio_fuzz::TARGETS;

#[test]
fn the_corpus_passes() {
    for (name, target) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(name);
        let mut count = 0;
        for entry in fs::read_dir(&folder).expect("each target has a folder") {
            let path = entry.expect("the folder can be read").path();
            // If the target panics this is what is printed last.
            println!("{}", path.display());
            target(&fs::read(&path).expect("the file can be read"));
            count += 1;
        }
        assert!(count > 0, "there is nothing in {}", folder.display());
    }
}
