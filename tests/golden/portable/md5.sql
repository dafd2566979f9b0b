select id, md5('1:' || coalesce(s, 'naïve 日本') || cast(n as varchar)) as digest, substr(md5(cast(id as varchar)), 1, 7) < '7fffffff' as is_low from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS STRING) AS `digest`,
  CAST(c2 AS BOOLEAN) AS `is_low`
FROM (
  SELECT
    `t`.`id` AS `id`,
    MD5('1:' || COALESCE(`t`.`s`, 'naïve 日本') || CAST(`t`.`n` AS STRING)) AS `digest`,
    SUBSTRING(MD5(CAST(`t`.`id` AS STRING)), 1, 7) < '7fffffff' AS `is_low`
  FROM `t` AS `t`
) AS outputs(c0, c1, c2)
