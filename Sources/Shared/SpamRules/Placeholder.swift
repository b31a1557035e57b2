// SpamRules
