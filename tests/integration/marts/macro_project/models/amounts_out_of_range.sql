{{ test_accepted_ranges(ref('amounts'), var('ranges')) }}
