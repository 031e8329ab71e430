{{ broken_column_rules(ref('amounts'), var('rules'), [['parts', 'amount']]) }}
union all
{{ broken_column_rules(ref('amounts'), {'parts': {'unique': true}}, []) }}
