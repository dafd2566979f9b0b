select id, len(l) as n_elements, length(s) as n_letters from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS BIGINT) AS `n_elements`,
  CAST(c2 AS BIGINT) AS `n_letters`
FROM (
  SELECT
    `t`.`id` AS `id`,
    ARRAY_SIZE(`t`.`l`) AS `n_elements`,
    LENGTH(`t`.`s`) AS `n_letters`
  FROM `t` AS `t`
) AS outputs(c0, c1, c2)
