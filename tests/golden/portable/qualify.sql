select s, id from t qualify row_number() over (partition by s order by n desc, id) = 1
-- spark:
SELECT
  CAST(c0 AS STRING) AS `s`,
  CAST(c1 AS INT) AS `id`
FROM (
  SELECT
    `s`,
    `id`
  FROM (
    SELECT
      `t`.`s` AS `s`,
      `t`.`id` AS `id`,
      ROW_NUMBER() OVER (PARTITION BY `t`.`s` ORDER BY `t`.`n` DESC, `t`.`id` NULLS LAST) AS _w
    FROM `t` AS `t`
  ) AS _t
  WHERE
    _w = 1
) AS outputs(c0, c1)
