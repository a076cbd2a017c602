//! The ledger of consents from the caller's side.

use super::{Client, ClientError};
use nightingale_proto::v1;

/// Leaves of one page of a register.
const LEAVES: u32 = 10_000;

impl Client {
    /// States a consent. The message's tenant is this client's, here and below.
    ///
    /// # Errors
    /// As `ConsentService.Grant`.
    pub async fn grant(
        &mut self,
        request: v1::GrantConsentRequest,
    ) -> Result<v1::StatementResponse, ClientError> {
        let message = v1::GrantConsentRequest { tenant: self.tenant.clone(), ..request };
        Ok(self.consents.grant(message).await?.into_inner())
    }

    /// Takes a consent back.
    ///
    /// # Errors
    /// As `ConsentService.Revoke`.
    pub async fn revoke(
        &mut self,
        request: v1::RevokeConsentRequest,
    ) -> Result<v1::StatementResponse, ClientError> {
        let message = v1::RevokeConsentRequest { tenant: self.tenant.clone(), ..request };
        Ok(self.consents.revoke(message).await?.into_inner())
    }

    /// Takes up the consents of a FHIR file.
    ///
    /// # Errors
    /// As `ConsentService.Import`.
    pub async fn import_consents(
        &mut self,
        request: v1::ImportConsentsRequest,
    ) -> Result<v1::ImportConsentsResponse, ClientError> {
        let message = v1::ImportConsentsRequest { tenant: self.tenant.clone(), ..request };
        Ok(self.consents.import(message).await?.into_inner())
    }

    /// Statements, the newest first, at most `most`.
    ///
    /// # Errors
    /// As `ConsentService.List`.
    pub async fn consents(
        &mut self,
        member: Vec<u8>,
        history: bool,
        most: usize,
    ) -> Result<Vec<v1::ConsentStatement>, ClientError> {
        let mut statements = Vec::new();
        let mut page_token = String::new();
        loop {
            let left = most.saturating_sub(statements.len());
            let page_size = u32::try_from(left.min(1000)).unwrap_or(1000);
            if page_size == 0 {
                return Ok(statements);
            }
            let tenant = self.tenant.clone();
            let message =
                v1::ListConsentsRequest { tenant, member: member.clone(), history, page_size, page_token };
            let page = self.consents.list(message).await?.into_inner();
            statements.extend(page.statements);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(statements);
            }
        }
    }

    /// Publishes the register of the consents in force.
    ///
    /// # Errors
    /// As `ConsentService.Publish`.
    pub async fn publish_consents(&mut self, key: &str) -> Result<v1::PublishConsentsResponse, ClientError> {
        let message =
            v1::PublishConsentsRequest { tenant: self.tenant.clone(), idempotency_key: key.to_owned() };
        Ok(self.consents.publish(message).await?.into_inner())
    }

    /// The epochs that were published, the newest first.
    ///
    /// # Errors
    /// As `ConsentService.Epochs`.
    pub async fn consent_epochs(&mut self) -> Result<Vec<v1::ConsentEpoch>, ClientError> {
        let message = v1::ListConsentEpochsRequest { tenant: self.tenant.clone(), most: 0 };
        Ok(self.consents.epochs(message).await?.into_inner().epochs)
    }

    /// An epoch, 0 for the newest, with all leaves of its register.
    ///
    /// # Errors
    /// As `ConsentService.Register`.
    pub async fn consent_register(
        &mut self,
        number: u64,
    ) -> Result<(v1::ConsentEpoch, Vec<v1::Consent>), ClientError> {
        let (mut number, mut page_token, mut leaves) = (number, String::new(), Vec::new());
        loop {
            let tenant = self.tenant.clone();
            let message = v1::ConsentRegisterRequest { tenant, number, page_size: LEAVES, page_token };
            let page = self.consents.register(message).await?.into_inner();
            let epoch = page.epoch.unwrap_or_default();
            // The pages that follow are of the same epoch, whatever is published meanwhile.
            number = epoch.number;
            leaves.extend(page.consents);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok((epoch, leaves));
            }
        }
    }

    /// Revokes the consent of subjects of a dataset.
    ///
    /// # Errors
    /// As `ConsentService.RevokeSubjects`.
    pub async fn revoke_subjects(
        &mut self,
        key: &str,
        dataset: Vec<u8>,
        subjects: Vec<String>,
    ) -> Result<v1::RevokeSubjectsResponse, ClientError> {
        let message = v1::RevokeSubjectsRequest {
            tenant: self.tenant.clone(),
            idempotency_key: key.to_owned(),
            dataset,
            subjects,
        };
        Ok(self.consents.revoke_subjects(message).await?.into_inner())
    }
}
