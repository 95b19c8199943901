//! Whether a file stands on the volume that it is meant to be apart from.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// Whether the file is, or would be, on the volume of the data folder. What cannot be seen is taken
/// for the worse case.
pub(super) fn shares_volume(folder: &Path, place: &Path) -> bool {
    let Some(existing) = nearest(place) else {
        return true;
    };
    let inside = match (fs::canonicalize(&existing), fs::canonicalize(folder)) {
        (Ok(existing), Ok(folder)) => existing.starts_with(folder),
        _ => true,
    };
    let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev());
    let same = match (device(&existing), device(folder)) {
        (Ok(one), Ok(other)) => one == other,
        _ => true,
    };
    inside || same
}

/// The file itself, or the folder that it would be made in.
fn nearest(place: &Path) -> Option<PathBuf> {
    let place = std::path::absolute(place).ok()?;
    place
        .ancestors()
        .find(|path| path.exists())
        .map(Path::to_owned)
}
