//! The AI services that there are, and where each comes from.

mod directory;
mod view;

pub use directory::{DeclaredFile, Directory, ServiceOrigin, UnusableDeclarations};
pub use view::ServiceView;

use diamond_domain::Scope;
use diamond_providers::DeclarationProblem;

use crate::{App, AppError, RequestContext};

impl App {
    /// Every service, by name.
    ///
    /// # Errors
    /// Refused without `keys:read`.
    pub fn list_services(&self, ctx: &RequestContext) -> Result<Vec<ServiceView>, AppError> {
        let parts = self.parts();
        parts.admission.scope_access(&ctx.caller, Scope::KeysRead)?;
        let views = parts.providers.iter().map(|(service, provider)| {
            ServiceView::of(
                provider.descriptor(),
                parts.directory.origin(service),
                parts.outbound.address(service),
                parts.catalog.models(service).count(),
                service.clone(),
            )
        });
        Ok(views.collect())
    }

    /// What is wrong with a declaration that somebody thinks of adding, as the server would say it
    /// at its start. Nothing is kept.
    ///
    /// # Errors
    /// Refused for anybody but operators with `tenants:admin`.
    pub fn check_declaration(
        &self,
        ctx: &RequestContext,
        file: &str,
        text: &str,
    ) -> Result<Vec<DeclarationProblem>, AppError> {
        let parts = self.parts();
        parts
            .admission
            .operator_access(&ctx.caller, Scope::TenantsAdmin)?;
        Ok(parts.directory.problems_of(file, text, &parts.catalog))
    }
}
