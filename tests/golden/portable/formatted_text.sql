select id, format('{:.2f} of {}, 100%: {:+.1f}, {:,}', x, n, 100 * f, 12345 * id) as message from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS STRING) AS `message`
FROM (
  SELECT
    `t`.`id` AS `id`,
    CASE
      WHEN NOT CAST(`t`.`x` AS DOUBLE) IS NULL
      AND NOT CAST(`t`.`n` AS STRING) IS NULL
      AND NOT CAST(100 * `t`.`f` AS DOUBLE) IS NULL
      AND NOT CAST(12345 * `t`.`id` AS BIGINT) IS NULL
      THEN FORMAT_STRING(
        '%.2f of %s, 100%%: %+.1f, %,d',
        CAST(`t`.`x` AS DOUBLE),
        CAST(`t`.`n` AS STRING),
        CAST(100 * `t`.`f` AS DOUBLE),
        CAST(12345 * `t`.`id` AS BIGINT)
      )
    END AS `message`
  FROM `t` AS `t`
) AS outputs(c0, c1)
