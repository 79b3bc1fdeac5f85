//! Templates are tagged images.

use bollard::{
    models::ContainerConfig,
    query_parameters::{CommitContainerOptionsBuilder, ListImagesOptions, RemoveImageOptions},
};

use super::{
    ContainerDriver,
    engine::{COPY, QUICK, SLOW},
    instance::LABELS,
    name,
};
use crate::driver::{DriverError, Reason, Result};

impl ContainerDriver {
    pub(super) async fn images(&self) -> Result<Vec<String>> {
        let images = self
            .engine
            .call(QUICK, "list its images", |docker| async move { docker.list_images(None::<ListImagesOptions>).await })
            .await?;
        let mut names: Vec<String> = images
            .iter()
            .flat_map(|image| &image.repo_tags)
            .filter(|tag| !tag.contains("<none>"))
            .map(|tag| name::familiar(tag).to_owned())
            .collect();
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    pub(super) async fn commit(&self, name: &str, template: &str) -> Result<()> {
        name::check_template(template)?;
        let found = self.expect(name).await?;
        if self.has_image(template).await? {
            return Err(DriverError::new(
                Reason::NameTaken,
                format!("there is an image {template} already; delete it, or choose another name"),
            ));
        }
        let (repository, tag) = name::split_template(template);
        // Labels of a container become its image's; left there, they would mark whatever anybody runs from it as ours.
        let blank = LABELS.map(|label| format!("LABEL {label}=\"\"")).join("\n");
        let options = CommitContainerOptionsBuilder::new()
            .container(&found.provider_ref)
            .repo(repository)
            .tag(tag)
            .changes(&blank)
            .build();
        let committed = self
            .engine
            .call(COPY, &format!("make {template} from {name}"), |docker| async move {
                docker.commit_container(options, ContainerConfig::default()).await
            })
            .await;
        match committed {
            Err(failure) if failure.no_container() => Err(DriverError::not_found(name)),
            committed => Ok(committed.map(drop)?),
        }
    }

    /// Never forced: Podman would remove the containers made from it, too.
    pub(super) async fn remove_image(&self, template: &str) -> Result<()> {
        name::check_template(template)?;
        let image = template.to_owned();
        let removed = self
            .engine
            .call(SLOW, &format!("remove the image {template}"), |docker| async move {
                docker.remove_image(&image, None::<RemoveImageOptions>, None).await
            })
            .await;
        match removed {
            Err(failure) if failure.no_image() => Ok(()),
            Err(failure) if failure.conflict() => Err(DriverError::new(
                Reason::ProviderError,
                format!("the image {template} is still used by a container; delete what was cloned from it first"),
            )),
            removed => Ok(removed.map(drop)?),
        }
    }

    async fn has_image(&self, template: &str) -> Result<bool> {
        let image = template.to_owned();
        let found = self
            .engine
            .call(QUICK, &format!("look for the image {template}"), |docker| async move {
                docker.inspect_image(&image).await
            })
            .await;
        match found {
            Ok(_) => Ok(true),
            Err(failure) if failure.no_image() => Ok(false),
            Err(failure) => Err(failure.into()),
        }
    }
}
