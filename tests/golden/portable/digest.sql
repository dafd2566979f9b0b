select id, md5('42 ' || s || ' ' || cast(id as varchar) || 'é') as of_text, md5(cast(ts as varchar)) as of_time, row_number() over (order by md5(cast(n as varchar)), id) as place from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS STRING) AS `of_text`,
  CAST(c2 AS STRING) AS `of_time`,
  CAST(c3 AS BIGINT) AS `place`
FROM (
  SELECT
    `t`.`id` AS `id`,
    MD5('42 ' || `t`.`s` || ' ' || CAST(`t`.`id` AS STRING) || 'é') AS `of_text`,
    MD5(CAST(`t`.`ts` AS STRING)) AS `of_time`,
    ROW_NUMBER() OVER (ORDER BY MD5(CAST(`t`.`n` AS STRING)) NULLS LAST, `t`.`id` NULLS LAST) AS `place`
  FROM `t` AS `t`
) AS outputs(c0, c1, c2, c3)
