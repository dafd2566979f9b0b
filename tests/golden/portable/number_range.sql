select id, unnest(range(1, n)) as place from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS BIGINT) AS `place`
FROM (
  SELECT
    `t`.`id` AS `id`,
    EXPLODE(
      SLICE(
        SEQUENCE(CAST(1 AS BIGINT), GREATEST(CAST(`t`.`n` AS BIGINT), CAST(1 AS BIGINT) + 1) - 1),
        1,
        CAST(GREATEST((
          CAST(`t`.`n` AS BIGINT)
        ) - (
          CAST(1 AS BIGINT)
        ), 0) AS INT)
      )
    ) AS `place`
  FROM `t` AS `t`
) AS outputs(c0, c1)
