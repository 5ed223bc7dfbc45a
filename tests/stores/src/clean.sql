DELETE FROM token_store
WHERE (until IS NULL OR until < now() - interval '1 hour')
  AND (claimed_until IS NULL OR claimed_until < now() - interval '1 hour');
