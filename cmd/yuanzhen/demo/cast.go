// Package demo is one cast of invented people and hospitals. `yuanzhen dev` seeds it,
// the tests and the browser journeys play with it. Nobody in it exists; the identity
// numbers are made up with a right check digit.
package demo

// Place is a hospital of the cast.
type Place struct {
	Code, Name, Kind, Region, Address, Phone string
	Departments                              []string
}

// Places are the three hospitals: an Internet hospital, a county hospital that asks
// it for help, and a university hospital where the expert has the main post; and two pharmacies.
var Places = []Place{
	{"91420100MA4K0QH01X", "清河市第一医院", "internet_hospital", "420102", "清河市解放大道 18 号", "027-5550 1200",
		[]string{"心血管内科", "内分泌科", "呼吸内科", "消化内科", "神经内科", "皮肤科", "全科", "儿科", "放射科"}},
	{"12420116MB1C7YN02A", "永宁县人民医院", "county_hospital", "420116", "永宁县人民路 6 号", "027-5550 6600",
		[]string{"内科", "全科", "心血管内科", "放射科"}},
	{"12420000MB1D3JC03B", "江城大学附属医院", "internet_hospital", "420106", "江城市珞珈路 99 号", "027-5550 8800",
		[]string{"呼吸内科", "放射科", "胸外科", "全科"}},
	{"91420102MA4L7KM04D", "康民大药房", "pharmacy", "420102", "清河市解放大道 26 号", "027-5550 3301", nil},
	{"91420102MA4L7BC05E", "百草堂药店", "pharmacy", "420102", "清河市中山路 7 号", "027-5550 3302", nil},
}

// Catalogue are the diseases the Internet hospitals follow up online.
var Catalogue = []struct {
	Cat, Class string
	Window     int
	Department string
	ZH, EN     string
}{
	{"I10", "chronic", 365, "心血管内科", "高血压", "Hypertension"},
	{"I25", "chronic", 365, "心血管内科", "冠心病", "Coronary heart disease"},
	{"E11", "chronic", 365, "内分泌科", "2 型糖尿病", "Type 2 diabetes"},
	{"E78", "chronic", 365, "内分泌科", "高脂血症", "High blood lipids"},
	{"E03", "chronic", 365, "内分泌科", "甲状腺功能减退", "Underactive thyroid"},
	{"M10", "chronic", 365, "全科", "痛风", "Gout"},
	{"J45", "chronic", 365, "呼吸内科", "哮喘", "Asthma"},
	{"J30", "chronic", 365, "呼吸内科", "过敏性鼻炎", "Allergic rhinitis"},
	{"K21", "chronic", 365, "消化内科", "胃食管反流", "Acid reflux"},
	{"K29", "common", 90, "消化内科", "胃炎", "Gastritis"},
	{"L20", "chronic", 365, "皮肤科", "特应性皮炎", "Atopic dermatitis"},
	{"G40", "chronic", 365, "神经内科", "癫痫", "Epilepsy"},
	{"J06", "common", 90, "呼吸内科", "上呼吸道感染", "Common cold"},
}

// Patient of the cast. Phone is empty for a child.
type Patient struct {
	Key, Name, Phone, IDNo, Region, Keeper string // Keeper: name of the hospital that keeps the chart
	For                                    string // key of the adult who acts for a child
	WeightKG                               string
	Story                                  string
}

// Patients of the cast.
var Patients = []Patient{
	{Key: "wang", Name: "王秀英", Phone: "13800000021", IDNo: "420102195903014825", Region: "420102", Keeper: "清河市第一医院", WeightKG: "62",
		Story: "67 岁，高血压，想续方 / 67, hypertension, wants a repeat prescription"},
	{Key: "li", Name: "李强", Phone: "13800000022", IDNo: "420102198107123311", Region: "420102",
		Story: "45 岁，第一次看心慌 / 45, first visit for palpitations"},
	{Key: "zhaojh", Name: "赵建华", Phone: "13800000023", IDNo: "420102198909205714", Region: "420102",
		Story: "赵敏的父亲 / father of Zhao Min"},
	{Key: "zhaomin", Name: "赵敏", For: "zhaojh", IDNo: "420102202104182526", Region: "420102", Keeper: "清河市第一医院", WeightKG: "18",
		Story: "5 岁，哮喘 / 5, asthma"},
	{Key: "zhou", Name: "周大山", Phone: "13800000024", IDNo: "42011619680506221X", Region: "420116", Keeper: "永宁县人民医院", WeightKG: "71",
		Story: "58 岁，在县医院，肺部 CT 待会诊 / 58, at the county hospital, chest CT awaits a consult"},
}

// Staff of the cast.
type Staff struct {
	Login, Name, Role, Home, Title string // Home: place of the role, and of the primary registration
	Rank                           int
	Scope                          []string
	Also                           []string // further places where the practitioner is filed
	Paediatric                     bool
	Story                          string
}

// People on the staff side.
var People = []Staff{
	{Login: "zhang", Name: "张建国", Role: "doctor", Home: "清河市第一医院", Title: "副主任医师", Rank: 3, Scope: []string{"心血管内科", "全科"},
		Also: []string{"永宁县人民医院"}, Story: "看网上复诊 / sees follow-ups online"},
	{Login: "chen", Name: "陈慧", Role: "doctor", Home: "清河市第一医院", Title: "主治医师", Rank: 2, Scope: []string{"儿科", "呼吸内科", "内分泌科"}, Paediatric: true,
		Story: "儿科 / paediatrician"},
	{Login: "liu", Name: "刘芳", Role: "pharmacist", Home: "清河市第一医院", Title: "主管药师", Rank: 2, Scope: []string{"药学"},
		Story: "审方 / reviews prescriptions"},
	{Login: "ma", Name: "马兰", Role: "pharmacist", Home: "康民大药房", Title: "执业药师", Rank: 2, Scope: []string{"药学"}, Story: "药店配药 / dispenses at a pharmacy"},
	{Login: "qin", Name: "秦越", Role: "pharmacist", Home: "百草堂药店", Title: "执业药师", Rank: 2, Scope: []string{"药学"}, Story: "另一家药店 / at another pharmacy"},
	{Login: "he", Name: "何晓", Role: "doctor", Home: "清河市第一医院", Title: "主治医师", Rank: 2, Scope: []string{"心血管内科", "全科"},
		Story: "替诊 / stands in for colleagues"},
	{Login: "sun", Name: "孙丽", Role: "coordinator", Home: "清河市第一医院", Story: "核资料、派会诊 / checks records, assigns consults"},
	{Login: "qian", Name: "钱进", Role: "administrator", Home: "清河市第一医院", Story: "管理 / administers"},
	{Login: "ding", Name: "丁宁", Role: "administrator", Home: "江城大学附属医院", Story: "管理，确认备案 / administers, confirms filings"},
	{Login: "yuan", Name: "袁敏", Role: "administrator", Home: "永宁县人民医院", Story: "县医院管理，签合作协议 / administers the county hospital, signs agreements"},
	{Login: "zhengyan", Name: "郑岩", Role: "administrator", Home: "清河市第一医院", Story: "医务部，审批政策 / medical director, approves policies"},
	{Login: "hejing", Name: "何静", Role: "administrator", Home: "清河市第一医院", Story: "合规部，审批政策 / compliance, approves policies"},
	{Login: "wu", Name: "吴监", Role: "regulator", Home: "清河市第一医院", Story: "监管 / regulator"},
	{Login: "zhao", Name: "赵志远", Role: "doctor", Home: "永宁县人民医院", Title: "主治医师", Rank: 2, Scope: []string{"内科", "全科"},
		Story: "县医院，请会诊 / county doctor, asks for consults"},
	{Login: "zhouli", Name: "周莉", Role: "administrator", Home: "永宁县人民医院", Story: "信息科，管前置机和影像空间 / looks after image room and edge agent"},
	{Login: "limy", Name: "李明远", Role: "doctor", Home: "江城大学附属医院", Title: "主任医师", Rank: 4, Scope: []string{"呼吸内科", "放射科", "胸外科"},
		Also: []string{"清河市第一医院"}, Story: "专家，在两家医院执业 / expert, practises at two hospitals"},
}

// Password of all staff of the demo; Passphrase opens their signing keys.
const (
	Password   = "yuanzhen-demo"
	Passphrase = "sign-demo"
)
